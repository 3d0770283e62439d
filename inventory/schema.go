package inventory

import "fwpush/inventory/internal/schema"

// Table is one kind of table of the fleet file, with its keys.
type Table = schema.Table

// Key is one key of a Table.
type Key = schema.Key

// Schema returns every kind of table of the fleet file, the top level first. It
// is what Parse goes by, for whatever documents the file.
func Schema() []Table { return schema.All() }

// JSONSchema describes fleet files to editors, as a value for encoding/json.
func JSONSchema() map[string]any { return schema.JSON() }
