/* SPDX-License-Identifier: Apache-2.0
 *
 * The safetensors format: 8 bytes that say how long the header is, a JSON header that says where each tensor
 * lies, then the bytes of all tensors. Nothing it says is believed before it has been held against the file.
 */
#include "text/model_folder.h"

#include <math.h>

#define MAX_DEPTH 8

static const struct {
    const char *name;
    size_t size_bytes;
} types[] = {
    [TENSOR_F32] = {"F32", 4}, [TENSOR_F16] = {"F16", 2}, [TENSOR_F64] = {"F64", 8},
    [TENSOR_I8] = {"I8", 1},   [TENSOR_I32] = {"I32", 4}, [TENSOR_I64] = {"I64", 8},
};

#define N_TYPES (sizeof types / sizeof *types)

int safetensors_open(struct str file, struct safetensors *ret_file, struct err_info *reterr)
{
    uint64_t header_bytes;
    if (file.len < sizeof header_bytes)
        return err_set(reterr, ERR_INVALID, "too short to be a safetensors file");
    memcpy(&header_bytes, file.ptr, sizeof header_bytes);
    if (header_bytes > file.len - sizeof header_bytes)
        return err_set(reterr, ERR_INVALID, "no safetensors file: its header would end after it");
    struct str rest = str_slice(file, sizeof header_bytes, file.len);
    int r = json_parse(str_slice(rest, 0, (size_t)header_bytes), MAX_DEPTH, &ret_file->root, reterr);
    if (r < 0) {
        err_prefix(reterr, "the safetensors header cannot be read: ");
        return r;
    }
    ret_file->tensors = str_slice(rest, (size_t)header_bytes, rest.len);
    return 0;
}

void safetensors_close(struct safetensors *file)
{
    file->root = json_free(file->root);
}

static int read_type(const struct json *about, const char *name, struct tensor *tensor,
                     struct err_info *reterr)
{
    struct str text = json_text_of(json_member(about, "dtype"));
    for (size_t i = 0; i < N_TYPES; i++) {
        if (str_is(text, types[i].name)) {
            tensor->type = (enum tensor_type)i;
            return 0;
        }
    }
    return err_set(reterr, ERR_UNSUPPORTED,
                   "tensor '%s' has the type '%.*s'; known: F32, F16, F64, I8, I32, I64", name,
                   STR_ARG(text));
}

static int read_shape(const struct json *about, const char *name, struct tensor *tensor,
                      struct err_info *reterr)
{
    const struct json *shape = json_member(about, "shape");
    size_t n_axes = json_count(shape);
    int64_t rows = json_int_of(json_at(shape, 0));
    int64_t columns = n_axes == 2 ? json_int_of(json_at(shape, 1)) : 1;
    if (json_kind_of(shape) != JSON_KIND_ARRAY || n_axes < 1 || n_axes > 2 || rows < 1 || columns < 1 ||
        rows > INT32_MAX || columns > INT32_MAX)
        return err_set(reterr, ERR_INVALID, "tensor '%s' has no shape of one or two axes", name);
    tensor->n_rows = (size_t)rows;
    tensor->n_columns = (size_t)columns;
    return 0;
}

static int read_place(const struct json *about, const char *name, struct str tensors, struct tensor *tensor,
                      struct err_info *reterr)
{
    const struct json *offsets = json_member(about, "data_offsets");
    int64_t from = json_int_of(json_at(offsets, 0)), to = json_int_of(json_at(offsets, 1));
    uint64_t wanted = (uint64_t)tensor->n_rows * tensor->n_columns * types[tensor->type].size_bytes;
    if (json_kind_of(offsets) != JSON_KIND_ARRAY || json_count(offsets) != 2 || from < 0 || to < from ||
        (uint64_t)to > tensors.len || (uint64_t)(to - from) != wanted)
        return err_set(reterr, ERR_INVALID, "tensor '%s' does not lie in the file as its shape says", name);
    tensor->data = tensors.ptr + from;
    return 0;
}

int safetensors_find(const struct safetensors *file, const char *name, struct tensor *ret_tensor,
                     struct err_info *reterr)
{
    struct tensor tensor;
    const struct json *about = json_member(file->root, name);
    if (!about)
        return 1;
    int r = read_type(about, name, &tensor, reterr);
    if (r == 0)
        r = read_shape(about, name, &tensor, reterr);
    if (r == 0)
        r = read_place(about, name, file->tensors, &tensor, reterr);
    if (r == 0)
        *ret_tensor = tensor;
    return r;
}

/* IEEE half precision. */
static double half_to_real(uint16_t bits)
{
    int exponent = bits >> 10 & 31;
    double fraction = bits & 1023;
    double value;
    if (exponent == 31)
        value = fraction > 0 ? NAN : INFINITY;
    else if (exponent == 0)
        value = ldexp(fraction, -24);
    else
        value = ldexp(fraction + 1024, exponent - 25);
    return bits & 0x8000 ? -value : value;
}

int64_t tensor_int(const struct tensor *tensor, size_t idx)
{
    const char *at = tensor->data + idx * types[tensor->type].size_bytes;
    int32_t narrow;
    int64_t wide;
    switch (tensor->type) {
    case TENSOR_I8:
        return (int8_t)*at;
    case TENSOR_I32:
        memcpy(&narrow, at, sizeof narrow);
        return narrow;
    case TENSOR_I64:
        memcpy(&wide, at, sizeof wide);
        return wide;
    default:
        return 0;
    }
}

double tensor_real(const struct tensor *tensor, size_t idx)
{
    const char *at = tensor->data + idx * types[tensor->type].size_bytes;
    uint16_t half;
    float single;
    double value;
    switch (tensor->type) {
    case TENSOR_F16:
        memcpy(&half, at, sizeof half);
        return half_to_real(half);
    case TENSOR_F32:
        memcpy(&single, at, sizeof single);
        return single;
    case TENSOR_F64:
        memcpy(&value, at, sizeof value);
        return value;
    default:
        return (double)tensor_int(tensor, idx);
    }
}

void tensor_read(const struct tensor *tensor, size_t idx, size_t n, float *ret_values)
{
    if (tensor->type == TENSOR_F32) {
        memcpy(ret_values, tensor->data + idx * sizeof *ret_values, n * sizeof *ret_values);
        return;
    }
    for (size_t i = 0; i < n; i++)
        ret_values[i] = (float)tensor_real(tensor, idx + i);
}
