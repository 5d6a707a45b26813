// The command tlog-witnessed lets Tessera's POSIX driver grow a log by some entries, with a witness that must cosign.
//
//	tlog-witnessed FOLDER SECRET WITNESS URL ENTRIES
//
// The entries are named after the folder. SECRET is the log's private key, WITNESS the public key of the witness that is reached at URL. It ends when a
// checkpoint of all entries is published, which Tessera does only with the witness's cosignature.
package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
)

const patience = 20 * time.Second

func main() {
	if len(os.Args) != 6 {
		fmt.Fprintln(os.Stderr, "usage: tlog-witnessed FOLDER SECRET WITNESS URL ENTRIES")
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := grow(ctx, os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func grow(ctx context.Context, folder, secret, key, address, entries string) error {
	count, err := strconv.Atoi(entries)
	if err != nil {
		return err
	}
	options, err := witnessed(secret, key, address)
	if err != nil {
		return err
	}
	driver, err := posix.New(ctx, posix.Config{Path: folder})
	if err != nil {
		return err
	}
	appender, shutdown, reader, err := tessera.NewAppender(ctx, driver, options)
	if err != nil {
		return err
	}
	awaiter := tessera.NewPublicationAwaiter(ctx, reader.ReadCheckpoint, 100*time.Millisecond)
	for number := range count {
		entry := tessera.NewEntry(fmt.Appendf(nil, "%s %d", filepath.Base(folder), number))
		if _, _, err := awaiter.Await(ctx, appender.Add(ctx, entry)); err != nil {
			return err
		}
	}
	return shutdown(ctx)
}

func witnessed(secret, key, address string) (*tessera.AppendOptions, error) {
	signer, err := note.NewSigner(secret)
	if err != nil {
		return nil, err
	}
	where, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	witness, err := tessera.NewWitness(key, where)
	if err != nil {
		return nil, err
	}
	options := tessera.NewAppendOptions().WithCheckpointSigner(signer).WithCheckpointInterval(200 * time.Millisecond)
	return options.WithBatching(1, 50*time.Millisecond).WithWitnesses(tessera.NewWitnessGroup(1, witness), nil), nil
}
