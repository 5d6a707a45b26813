// The command tlog-check is how Go's own transparency log code sees Steward's: golang.org/x/mod/sumdb/tlog and note.
//
// It reads a JSON list of requests from standard input and writes the list of their answers. An answer's "error" is
// empty where Go accepts what it was given.
package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const tileHeight = 8

type request struct {
	Do      string      `json:"do"`
	Size    int64       `json:"size"`
	Old     int64       `json:"old"`
	Index   int64       `json:"index"`
	Leaf    tlog.Hash   `json:"leaf"`
	Root    tlog.Hash   `json:"root"`
	OldRoot tlog.Hash   `json:"old_root"`
	Proof   []tlog.Hash `json:"proof"`
	Indices []int64     `json:"indices"`
	Olds    []int64     `json:"olds"`
	Entries [][]byte    `json:"entries"`
	Folder  string      `json:"folder"`
	Text    string      `json:"text"`
	Keys    []string    `json:"keys"`
}

type answer struct {
	Error      string        `json:"error"`
	Root       tlog.Hash     `json:"root"`
	Roots      []tlog.Hash   `json:"roots"`
	Inclusions [][]tlog.Hash `json:"inclusions"`
	Histories  [][]tlog.Hash `json:"histories"`
	Text       string        `json:"text"`
	Names      []string      `json:"names"`
	Key        string        `json:"key"`
	Secret     string        `json:"secret"`
}

var doing = map[string]func(request) (answer, error){
	"check inclusion":   checkInclusion,
	"check consistency": checkConsistency,
	"read folder":       readFolder,
	"build tree":        buildTree,
	"open note":         openNote,
	"sign note":         signNote,
}

func main() {
	var requests []request
	if err := json.NewDecoder(os.Stdin).Decode(&requests); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	answers := make([]answer, len(requests))
	for i, asked := range requests {
		do, known := doing[asked.Do]
		if !known {
			fmt.Fprintf(os.Stderr, "nothing is called %q\n", asked.Do)
			os.Exit(2)
		}
		found, err := do(asked)
		if err != nil {
			found.Error = err.Error()
		}
		answers[i] = found
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func checkInclusion(r request) (answer, error) {
	return answer{}, tlog.CheckRecord(r.Proof, r.Size, r.Root, r.Index, r.Leaf)
}

func checkConsistency(r request) (answer, error) {
	return answer{}, tlog.CheckTree(r.Proof, r.Size, r.Root, r.Old, r.OldRoot)
}

// readFolder proves the indices and the old trees from the tiles of a log in a folder, each checked against the root.
func readFolder(r request) (answer, error) {
	tree := tlog.Tree{N: r.Size, Hash: r.Root}
	return prove(r, tlog.TileHashReader(tree, folder(r.Folder)))
}

// buildTree builds the tree of the entries, and proves the indices and the old trees in it.
func buildTree(r request) (answer, error) {
	var hashes memory
	r.Size = int64(len(r.Entries))
	for i, entry := range r.Entries {
		stored, err := tlog.StoredHashes(int64(i), entry, hashes)
		if err != nil {
			return answer{}, err
		}
		hashes = append(hashes, stored...)
	}
	return prove(r, hashes)
}

func prove(r request, hashes tlog.HashReader) (answer, error) {
	var made answer
	var err error
	if made.Root, err = tlog.TreeHash(r.Size, hashes); err != nil {
		return made, err
	}
	for _, index := range r.Indices {
		proof, err := tlog.ProveRecord(r.Size, index, hashes)
		if err != nil {
			return made, err
		}
		made.Inclusions = append(made.Inclusions, append([]tlog.Hash{}, proof...))
	}
	for _, old := range r.Olds {
		root, err := tlog.TreeHash(old, hashes)
		if err != nil {
			return made, err
		}
		proof, err := tlog.ProveTree(r.Size, old, hashes)
		if err != nil {
			return made, err
		}
		made.Roots = append(made.Roots, root)
		made.Histories = append(made.Histories, append([]tlog.Hash{}, proof...))
	}
	return made, nil
}

func openNote(r request) (answer, error) {
	var verifiers []note.Verifier
	for _, key := range r.Keys {
		verifier, err := note.NewVerifier(key)
		if err != nil {
			return answer{}, err
		}
		verifiers = append(verifiers, verifier)
	}
	opened, err := note.Open([]byte(r.Text), note.VerifierList(verifiers...))
	if err != nil {
		return answer{}, err
	}
	found := answer{Text: opened.Text}
	for _, signature := range opened.Sigs {
		found.Names = append(found.Names, signature.Name)
	}
	return found, nil
}

// signNote signs the text with a fresh key of each of the names that are given as keys; it shows the last one's.
func signNote(r request) (answer, error) {
	var made answer
	var signers []note.Signer
	for _, name := range r.Keys {
		secret, public, err := note.GenerateKey(rand.Reader, name)
		if err != nil {
			return made, err
		}
		signer, err := note.NewSigner(secret)
		if err != nil {
			return made, err
		}
		signers = append(signers, signer)
		made.Key, made.Secret = public, secret
	}
	signed, err := note.Sign(&note.Note{Text: r.Text}, signers...)
	made.Text = string(signed)
	return made, err
}

// memory holds a tree's hashes by tlog's numbers for them.
type memory []tlog.Hash

func (m memory) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		if index >= int64(len(m)) {
			return nil, errors.New("no such hash")
		}
		found[i] = m[index]
	}
	return found, nil
}

// folder reads tiles by the names of C2SP tlog-tiles, which leave out the height that Go's have.
type folder string

func (f folder) Height() int { return tileHeight }

func (f folder) SaveTiles([]tlog.Tile, [][]byte) {}

func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	found := make([][]byte, len(tiles))
	for i, tile := range tiles {
		name := strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", tileHeight), "tile/", 1)
		body, err := os.ReadFile(filepath.Join(string(f), name))
		if err != nil {
			return nil, err
		}
		found[i] = body
	}
	return found, nil
}
