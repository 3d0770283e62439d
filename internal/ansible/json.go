package ansible

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	// MaxSize bounds what is read of an inventory, in bytes.
	MaxSize = 64 << 20
	// maxDepth bounds lists and objects within each other.
	maxDepth = 64
)

// decode reads JSON as any, string, bool, json.Number, []any and map[string]any. Unlike
// encoding/json it takes no key twice: of two hosts of one name one would be lost without
// a word.
func decode(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(text, []byte("\ufeff"))))
	d.UseNumber()
	v, err := value(d, nil)
	if err != nil {
		return nil, located(err, text, d.InputOffset())
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, located(errors.New("more behind the end of the JSON"), text, d.InputOffset())
	}
	return v, nil
}

// located adds the line of the text in which reading it ended.
func located(err error, text []byte, off int64) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		off = syntax.Offset
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("the JSON ends too early")
	}
	off = min(max(off, 0), int64(len(text)))
	return fmt.Errorf("line %d: %w", 1+bytes.Count(text[:off], []byte("\n")), err)
}

func value(d *json.Decoder, path []string) (any, error) {
	if len(path) > maxDepth {
		return nil, fmt.Errorf("more than %d lists and objects within each other", maxDepth)
	}
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		object := map[string]any{}
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return nil, err
			}
			name := key.(string) // the decoder takes nothing else for a key
			if _, twice := object[name]; twice {
				return nil, fmt.Errorf("%q stands twice in %s", name, where(path))
			}
			if object[name], err = value(d, append(path, name)); err != nil {
				return nil, err
			}
		}
		_, err = d.Token()
		return object, err
	case json.Delim('['):
		list := []any{}
		for d.More() {
			v, err := value(d, append(path, "[]"))
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err = d.Token()
		return list, err
	}
	return token, nil
}

func where(path []string) string {
	if len(path) == 0 {
		return "the inventory"
	}
	return strings.Join(path, ".")
}

// kind says what a value is, for messages that do not repeat it: it may be a secret.
func kind(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case string:
		return "a string"
	case bool:
		return "true or false"
	case json.Number:
		return "a number"
	case []any:
		return "a list"
	}
	return "an object"
}
