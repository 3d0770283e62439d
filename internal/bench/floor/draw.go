package main

import (
	"crypto/rand"
	"encoding/hex"
)

// draw is 128 random bits in hex: a marker, a transaction's name or its secret.
func draw() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails: crypto/rand
	return hex.EncodeToString(b)
}
