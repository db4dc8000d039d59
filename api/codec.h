/* SPDX-License-Identifier: Apache-2.0
 *
 * codec.h: JSON, declared once.
 *
 * A resource is a table of fields: the same rows decode a body (or a query) into a zeroed struct,
 * encode a struct and describe themselves as JSON Schema.  Unknown, duplicate, missing and mistyped
 * members are refused by name, with an RFC 6901 pointer. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "engine/base/attributes.h"
#include "engine/base/buffer.h"
#include "engine/base/status.h"

struct ipsec_engine;
struct codec_decoder;
struct codec_encoder;
struct codec_field;

/* What a member is in the struct and on the wire. */
enum codec_kind {
    CODEC_UNSIGNED = 0, /* uint8_t to uint64_t: an integer from 'minimum' to 'maximum' */
    CODEC_DECIMAL,      /* uint64_t: its decimal digits in a string; encoded only */
    CODEC_BOOLEAN,      /* bool */
    CODEC_ENUM,         /* uint8_t or uint16_t: a name of 'names' */
    CODEC_FLAGS,        /* uint8_t to uint32_t: an array of names of 'names', a bit each */
    CODEC_IP_VERSION,   /* uint8_t: "v4" or "v6"; the addresses that follow must agree */
    CODEC_ADDRESS,      /* struct ipsec_address, of the object's IP version */
    CODEC_SUBNET,       /* struct ipsec_subnet: address or prefix; decoded only */
    CODEC_GUID,         /* struct ipsec_guid */
    CODEC_TEXT,         /* char *: 'minimum' to 'maximum' bytes, on the heap once decoded */
    CODEC_CHARS,        /* char[]: up to its size, which 'maximum' may tell; "" is absent */
    CODEC_BLOB,         /* uint8_t *: base64, up to 'maximum' bytes, size at 'count_offset' */
    CODEC_SECRET,       /* struct secret: base64 or "hex:"; never encoded */
    CODEC_TIME,         /* int64_t milliseconds: RFC 3339; encoded only */
    CODEC_PRINCIPAL,    /* uint32_t: the principal's name; encoded only */
    CODEC_OBJECT,       /* 'object', in place or, written, pointed to; offset 0 groups members of
                           the struct itself */
    CODEC_ARRAY,        /* 'object' many times, see enum codec_form */
    CODEC_CUSTOM,       /* 'custom' does it */
};

enum codec_flag {
    CODEC_REQUIRED = 1,  /* read: must be there; written: always there */
    CODEC_OMIT_ZERO = 2, /* written: left out when all of the member's bytes are zero */
    CODEC_LIST = 4,      /* CODEC_CHARS of a query: any number of texts, see query.h */
};

/* Where the elements of an array are. */
enum codec_form {
    CODEC_IN_PLACE = 0, /* the member is the array; 'minimum' is for the engine to check */
    CODEC_POINTED,      /* the member points at it; read: 'minimum' to 'maximum' on the heap */
    CODEC_POINTERS,     /* the member points at pointers to the elements */
};

struct codec_name {
    const char *name;
    int value;
    const char *guid; /* another spelling that is accepted; null: none */
};

/* The names of an enumeration, and what those that are not in it get. */
struct codec_names {
    const struct codec_name *rows;
    size_t count;
    enum ipsec_status unknown;      /* IPSEC_OK: IPSEC_INVALID_ENUMERATOR */
    const char *const *not_carried; /* names WFP has and this engine lacks, ends with null */
    enum ipsec_status not_carried_status;
};

/* One shape of a JSON object. */
struct codec_object {
    const char *name; /* of its schema; null: described where it is used */
    const char *summary;
    const struct codec_field *fields;
    size_t field_count;
    bool closed; /* read from callers: the schema allows no further members */
    /* Judges the members together once all are decoded; may be null. */
    enum ipsec_status (*check)(struct codec_decoder *decoder, void *object);
};

/* One without members: what operations read that need nothing but their path. */
extern const struct codec_object codec_no_members;

struct codec_custom {
    enum ipsec_status (*decode)(struct codec_decoder *decoder,
                                const struct codec_field *field,
                                const json_t *value,
                                void *object);
    void (*encode)(struct codec_encoder *encoder,
                   const struct codec_field *field,
                   const void *object);
    /* Whether there is nothing to encode; null: there always is. */
    bool (*absent)(const void *object);
    json_t *(*describe)(const struct codec_field *field); /* a new schema */
    void (*clear)(void *object); /* frees what was decoded; null: nothing to free */
};

struct codec_field {
    const char *name;
    const char *key; /* "\"name\":" */
    size_t key_size;
    enum codec_kind kind;
    unsigned flags; /* enum codec_flag */
    size_t offset;
    size_t size;
    uint64_t minimum;
    uint64_t maximum; /* 0: all that the member holds, for identifiers up to 2^53-1 */
    const struct codec_names *names;
    const struct codec_object *object;
    const struct codec_custom *custom;
    /* Arrays. */
    enum codec_form form;
    size_t stride;
    size_t count_offset;
    size_t count_size;
    enum ipsec_status too_many; /* more than fit in place */
    enum ipsec_status too_few;  /* fewer than 'minimum' on the heap */
    /* Where a bool is set once the member was there; 0: nowhere. */
    size_t given_offset;
    enum ipsec_status missing; /* required and absent; IPSEC_OK: IPSEC_NULL_POINTER */
    const char *summary;
};

#define CODEC_FIELD(type, member, json_name, ...)                                                  \
    {                                                                                              \
        .name = (json_name), .key = "\"" json_name "\":", .key_size = sizeof(json_name) + 2,       \
        .offset = offsetof(struct type, member), .size = sizeof(((struct type *)0)->member),       \
        __VA_ARGS__                                                                                \
    }
/* A member that has no place of its own in the struct. */
#define CODEC_GROUP(json_name, ...)                                                                \
    {                                                                                              \
        .name = (json_name), .key = "\"" json_name "\":", .key_size = sizeof(json_name) + 2,       \
        __VA_ARGS__                                                                                \
    }
#define CODEC_COUNT(array) (sizeof(array) / sizeof *(array))

/* --- Decoding --------------------------------------------------------------------------------- */

/* What a list of names may take of the 240 bytes of a detail. */
#define CODEC_LIST_SIZE 180

/* Where the decoder stands: a chain of member names and indexes up to the body. */
struct codec_step {
    const struct codec_step *parent;
    const char *member; /* null: 'index' */
    size_t index;
};

struct codec_decoder {
    struct ipsec_fault *fault;
    enum ipsec_fault_place place;
    const struct codec_step *step;
    int ip_version; /* what the members so far say; -1: nothing */
    bool forwards;  /* conditions have the names of the forward layers */
};

/* Decodes a body into 'object_out', zeroed memory.  Statuses besides those of the members:
 * IPSEC_NULL_POINTER (empty), IPSEC_RPC_INVALID_DATA (not JSON), IPSEC_RPC_INVALID_PARAMETER (an
 * integer beyond 64 bits, invalid UTF-8), IPSEC_TYPE_MISMATCH (no object).  After a failure
 * codec_clear() frees what was decoded. */
NODISCARD enum ipsec_status codec_decode(const struct codec_object *object,
                                         const char *body,
                                         size_t size,
                                         void *object_out,
                                         struct ipsec_fault *fault);

/* Decodes one member from text, as queries carry it. */
NODISCARD enum ipsec_status codec_decode_text(struct codec_decoder *decoder,
                                              const struct codec_field *field,
                                              const char *text,
                                              void *object);

/* Frees the texts, blobs and arrays of a decoded struct, and wipes its secrets.  Harmless again. */
void codec_clear(const struct codec_object *object, void *decoded);

/* For custom decoders: refuses the value at the decoder's place. */
NODISCARD enum ipsec_status
codec_refuse(struct codec_decoder *decoder, enum ipsec_status status, const char *format, ...)
    PRINTF_FORMAT(3, 4);
/* The same for a value that is not 'expected' ("an integer"). */
NODISCARD enum ipsec_status
codec_refuse_type(struct codec_decoder *decoder, const json_t *value, const char *expected);
/* For a member that 'object' (null: an empty one) does not have. */
NODISCARD enum ipsec_status codec_refuse_unknown(struct codec_decoder *decoder,
                                                 const struct codec_object *object,
                                                 const char *member);
/* Names for a refusal, with commas between; those for which there is no room are left out whole,
 * and the end of the text says so. */
struct codec_list {
    char text[CODEC_LIST_SIZE];
    size_t length;
    bool is_full;
};
void codec_list_name(struct codec_list *list, const char *name);

/* For a body that the parser refused. */
NODISCARD enum ipsec_status codec_refuse_syntax(struct codec_decoder *decoder,
                                                const json_error_t *error,
                                                const char *body,
                                                size_t size);
NODISCARD enum ipsec_status codec_decode_name(struct codec_decoder *decoder,
                                              const struct codec_names *names,
                                              const char *text,
                                              int *value_out);
NODISCARD enum ipsec_status codec_decode_object(struct codec_decoder *decoder,
                                                const struct codec_object *object,
                                                const json_t *value,
                                                void *object_out);
NODISCARD enum ipsec_status codec_decode_prefix(struct codec_decoder *decoder,
                                                const char *text,
                                                void *address_out, /* struct ipsec_address */
                                                uint8_t *prefix_length_out,
                                                uint8_t *version_out);
/* Fails unless 'version' agrees with what the decoder knows; from then on it knows. */
NODISCARD enum ipsec_status codec_agree_ip_version(struct codec_decoder *decoder, uint8_t version);

/* Writes the RFC 6901 pointer to the member of 'body' in which byte 'position' lies: for errors
 * that only the parser saw.  'body' is valid JSON up to there. */
void codec_locate(const char *body, size_t position, char *pointer, size_t pointer_size);
/* Appends one reference token, escaped; false and no change when it does not fit. */
bool codec_append_token(char *pointer, size_t pointer_size, const char *token);

/* --- Encoding --------------------------------------------------------------------------------- */

struct codec_encoder {
    struct buffer *out;
    const struct ipsec_engine *engine; /* knows the principals; may be null where none occur */
    int ip_version;                    /* of the addresses to come */
    bool forwards;                     /* conditions have the names of the forward layers */
};

void
codec_encode(struct codec_encoder *encoder, const struct codec_object *object, const void *value);
const char *codec_name_of(const struct codec_names *names, int value);

/* --- Describing ------------------------------------------------------------------------------- */

/* A new schema of the object's members; objects with a name of their own are referred to. */
json_t *codec_describe(const struct codec_object *object);
/* A new schema of one member. */
json_t *codec_describe_field(const struct codec_field *field);
json_t *codec_describe_names(const struct codec_names *names);
uint64_t codec_maximum(const struct codec_field *field);

extern const struct codec_names codec_ip_versions;
