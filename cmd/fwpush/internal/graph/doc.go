// Package graph draws who may talk to whom: for graphviz, for mermaid, as a picture
// and as a page with the matrix.
package graph
