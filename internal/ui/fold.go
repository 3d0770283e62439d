package ui

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Fold writes host names the short way, as patterns that name exactly them:
// web[01-11,13-20],db1. A number is looked for in the first label of a name.
// Runs come in the order of their numbers, stems in the order in which they
// first appear.
func Fold(names []string) string {
	var order []stem
	numbers := map[stem][]uint64{}
	padded := map[stem]bool{}
	var parts []numbered
	for _, name := range names {
		n := number(name)
		parts = append(parts, n)
		key := n.stem()
		if len(n.digits) > 1 && n.digits[0] == '0' {
			padded[key] = true
		}
	}
	for _, n := range parts {
		key := n.stem()
		// web7 and web07 are two hosts, and so are web99 and web099: where a
		// stem has leading zeros, numbers of one width belong together.
		if padded[key] {
			key.width = len(n.digits)
		}
		if _, known := numbers[key]; !known {
			order = append(order, key)
			numbers[key] = nil
		}
		if n.digits != "" {
			numbers[key] = append(numbers[key], n.value)
		}
	}
	folded := make([]string, len(order))
	for i, key := range order {
		folded[i] = key.write(numbers[key])
	}
	return strings.Join(folded, ",")
}

// numbered is a name taken apart around the last number of its first label.
type numbered struct {
	head, digits, tail string
	value              uint64
}

// number leaves digits empty where there is no number, or none that fits.
func number(name string) numbered {
	label, _, _ := strings.Cut(name, ".")
	end := strings.LastIndexAny(label, "0123456789") + 1
	start := end
	for start > 0 && '0' <= label[start-1] && label[start-1] <= '9' {
		start--
	}
	value, err := strconv.ParseUint(label[start:end], 10, 63)
	if err != nil {
		return numbered{head: name}
	}
	return numbered{head: name[:start], digits: name[start:end], tail: name[end:], value: value}
}

// stem is what numbered names have in common.
type stem struct {
	head, tail string
	plain      bool // without a number: web is no sibling of web1
	width      int  // of zero-padded numbers; 0 without padding
}

func (n numbered) stem() stem { return stem{head: n.head, tail: n.tail, plain: n.digits == ""} }

func (s stem) write(numbers []uint64) string {
	if len(numbers) == 0 {
		return s.head + s.tail
	}
	slices.Sort(numbers)
	numbers = slices.Compact(numbers)
	digits := func(n uint64) string { return fmt.Sprintf("%0*d", s.width, n) }
	if len(numbers) == 1 {
		return s.head + digits(numbers[0]) + s.tail
	}
	var runs []string
	for len(numbers) > 0 {
		last := 0
		for last+1 < len(numbers) && numbers[last+1] == numbers[last]+1 {
			last++
		}
		run := digits(numbers[0])
		if last > 0 {
			run += "-" + digits(numbers[last])
		}
		runs = append(runs, run)
		numbers = numbers[last+1:]
	}
	return s.head + "[" + strings.Join(runs, ",") + "]" + s.tail
}

// Count writes a number with its noun: "1 host", "3 hosts".
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
