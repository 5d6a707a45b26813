/* The loops of the audit log over SHA-256, which is OpenSSL's: RFC 6962 §2.1, C2SP tlog-tiles.

   Nothing is allocated and nothing is kept. Of what is given, nothing is believed: each length is held against the bytes
   that are there. Hashes stand side by side, 32 bytes each. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { HASH = 32, LEAF = 0, NODE = 1, LENGTH = 2, DIGITS = 18, TIME = 27, CONTEXT = 64 };

/* SHA256_Init, SHA256_Update and SHA256_Final. Their context has 112 bytes; CONTEXT counts eight at a time. */
struct sha256 {
    int (*begin)(void *context);
    int (*add)(void *context, const void *bytes, size_t length);
    int (*end)(unsigned char *hash, void *context);
};

static void digest(const struct sha256 *sha, unsigned char prefix, const unsigned char *bytes, size_t length,
                   unsigned char *hash) {
    uint64_t context[CONTEXT];
    sha->begin(context);
    sha->add(context, &prefix, 1);
    sha->add(context, bytes, length);
    sha->end(hash, context);
}

/* The leaf hashes of entries that stand side by side; `ends` says where each ends. */
void hash_leaves(const struct sha256 *sha, const unsigned char *entries, const uint64_t *ends, size_t count,
                 unsigned char *hashes) {
    for (size_t at = 0, begin = 0; at < count; begin = ends[at++])
        digest(sha, LEAF, entries + begin, ends[at] - begin, hashes + at * HASH);
}

/* The root over `count` hashes, one at least, which it overwrites; the root is then the first of them. */
void fold_hashes(const struct sha256 *sha, unsigned char *hashes, size_t count) {
    while (count > 1) {
        size_t pairs = count / 2;
        for (size_t at = 0; at < pairs; at++)
            digest(sha, NODE, hashes + at * 2 * HASH, 2 * HASH, hashes + at * HASH);
        if (count % 2)
            memmove(hashes + pairs * HASH, hashes + pairs * 2 * HASH, HASH);
        count = pairs + count % 2;
    }
}

/* Reads "site SP number SP time LF": a site without spaces, a number of at most 18 digits in its one form, a time of 27
   bytes. Returns where the site and the number end, or 0 for what is written otherwise. */
static int read_header(const unsigned char *header, size_t length, size_t *site, uint64_t *number) {
    size_t at = 0;
    while (at < length && header[at] != ' ')
        at++;
    *site = at;
    *number = 0;
    size_t begin = at + 1;
    for (at = begin; at < length && header[at] >= '0' && header[at] <= '9'; at++)
        *number = *number * 10 + (header[at] - '0');
    size_t digits = at - begin;
    int is_one_form = digits == 1 || (digits > 1 && digits <= DIGITS && header[begin] != '0');
    return *site > 0 && is_one_form && length - at == 1 + TIME + 1 && header[at] == ' ';
}

/* Whether an event stands in a line of its own: it is an object, as far as its ends tell, without a line feed. */
static int is_line(const unsigned char *event, size_t length) {
    return length > 1 && event[0] == '{' && event[length - 1] == '}' && !memchr(event, '\n', length);
}

/* Reads a bundle of `width` entries, each behind its length: the leaf hashes; of the headers the sites, each with a line
   feed, at most `room` bytes of them, the numbers, and the times side by side; where each entry ends; the events, each
   with a line feed, which take less room than the bundle. `filled` says how many bytes of sites and of events there are.

   Returns 0 when an entry is cut or written otherwise, when there are more or fewer entries, or when there is too little
   room. */
int read_bundle(const struct sha256 *sha, const unsigned char *body, size_t size, size_t width, size_t room,
             unsigned char *hashes, unsigned char *sites, uint64_t *numbers, unsigned char *times, uint32_t *ends,
                unsigned char *events, uint64_t *filled) {
    size_t at = 0, sites_end = 0, events_end = 0;
    for (size_t entry = 0; entry < width; entry++) {
        if (size - at < LENGTH)
            return 0;
        size_t length = (size_t)body[at] << 8 | body[at + 1], site;
        at += LENGTH;
        if (size - at < length)
            return 0;
        const unsigned char *raw = body + at, *feed = memchr(raw, '\n', length);
        size_t header = feed ? (size_t)(feed - raw) + 1 : 0;
        if (!header || !read_header(raw, header, &site, numbers + entry) || room - sites_end <= site)
            return 0;
        if (!is_line(raw + header, length - header))
            return 0;
        digest(sha, LEAF, raw, length, hashes + entry * HASH);
        memcpy(sites + sites_end, raw, site);
        sites_end += site;
        sites[sites_end++] = '\n';
        memcpy(times + entry * TIME, feed - TIME, TIME);
        memcpy(events + events_end, raw + header, length - header);
        events_end += length - header;
        events[events_end++] = '\n';
        at += length;
        ends[entry] = (uint32_t)at;
    }
    filled[0] = sites_end;
    filled[1] = events_end;
    return at == size;
}
