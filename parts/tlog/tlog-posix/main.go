// The command tlog-posix builds a log with Tessera's POSIX driver in one process, with the driver's own batches.
//
//	tlog-posix FOLDER ORIGIN                  takes the entries from standard input, each behind its length in 16 bits
//	tlog-posix FOLDER ORIGIN ENTRIES BYTES    makes that many entries of that many bytes
//
// It generates a key, ends when a checkpoint of all entries is published, and prints a line of JSON: the public key, how
// many entries there are, and in how many seconds they were integrated.
package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
)

const inFlight = tessera.DefaultPushbackMaxOutstanding - 2

type summary struct {
	PublicKey string  `json:"public_key"`
	Entries   int     `json:"entries"`
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"entries_per_second"`
}

func main() {
	if len(os.Args) != 3 && len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: tlog-posix FOLDER ORIGIN [ENTRIES BYTES]")
		os.Exit(2)
	}
	next := readEntries(os.Stdin)
	if len(os.Args) == 5 {
		next = makeEntries(number(os.Args[3]), number(os.Args[4]))
	}
	built, err := build(context.Background(), os.Args[1], os.Args[2], next)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(built)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// build adds entries until next gives io.EOF, and returns when a checkpoint tells of them all.
func build(ctx context.Context, folder, origin string, next func() ([]byte, error)) (summary, error) {
	secret, public, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		return summary{}, err
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		return summary{}, err
	}
	driver, err := posix.New(ctx, posix.Config{Path: folder})
	if err != nil {
		return summary{}, err
	}
	options := tessera.NewAppendOptions().WithCheckpointSigner(signer).WithCheckpointInterval(time.Second)
	appender, shutdown, _, err := tessera.NewAppender(ctx, driver, options)
	if err != nil {
		return summary{}, err
	}
	start := time.Now()
	count, err := addAll(ctx, appender, next)
	seconds := time.Since(start).Seconds()
	if err != nil {
		return summary{}, err
	}
	return summary{public, count, seconds, float64(count) / seconds}, shutdown(ctx)
}

// addAll keeps as many entries on their way as the driver lets, and returns when each has its index.
func addAll(ctx context.Context, appender *tessera.Appender, next func() ([]byte, error)) (int, error) {
	futures := make(chan tessera.IndexFuture, inFlight)
	failed := make(chan error, 1)
	go func() {
		expected := uint64(0)
		for future := range futures {
			index, err := future()
			if err == nil && index.Index != expected {
				err = fmt.Errorf("entry %d was given index %d", expected, index.Index)
			}
			if err != nil {
				failed <- err
				return
			}
			expected++
		}
		failed <- nil
	}()
	count := 0
	for {
		entry, err := next()
		if errors.Is(err, io.EOF) {
			close(futures)
			return count, <-failed
		}
		if err != nil {
			return count, err
		}
		select {
		case futures <- appender.Add(ctx, tessera.NewEntry(entry)):
			count++
		case err := <-failed:
			return count, err
		}
	}
}

func readEntries(source io.Reader) func() ([]byte, error) {
	reader := bufio.NewReaderSize(source, 1<<20)
	return func() ([]byte, error) {
		var length uint16
		if err := binary.Read(reader, binary.BigEndian, &length); err != nil {
			return nil, err
		}
		entry := make([]byte, length)
		_, err := io.ReadFull(reader, entry)
		return entry, err
	}
}

func makeEntries(count, size int) func() ([]byte, error) {
	made := 0
	return func() ([]byte, error) {
		if made == count {
			return nil, io.EOF
		}
		entry := make([]byte, size)
		binary.BigEndian.PutUint64(entry, uint64(made))
		made++
		return entry, nil
	}
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	if err != nil || value < 8 {
		fmt.Fprintf(os.Stderr, "%s must be a number of 8 or more\n", text)
		os.Exit(2)
	}
	return value
}
