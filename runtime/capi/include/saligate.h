/* libsaligate: predict and explain. Made by cbindgen from runtime/capi/src; see there. */

#ifndef SALIGATE_H
#define SALIGATE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

// How a call ended. The numbers are the exit codes of the program.
typedef enum SaligateStatus {
  // Done.
  SALIGATE_STATUS_OK = 0,
  // It ran, and the answer is no: the key belongs to another model, the licence has expired.
  SALIGATE_STATUS_NO = 1,
  // It could not run.
  SALIGATE_STATUS_ERROR = 2,
} SaligateStatus;

// How the pixels of a picture follow each other.
typedef enum SaligateOrder {
  // `[channel][row][column]`
  SALIGATE_ORDER_PLANAR = 0,
  // `[row][column][channel]`, as cameras give them.
  SALIGATE_ORDER_INTERLEAVED = 1,
} SaligateOrder;

// What a key or licence opens, for one model. The trigger in it is wiped when it is freed.
typedef struct SaligateAccess SaligateAccess;

// An open model.
typedef struct SaligateModel SaligateModel;

// What a model takes and answers.
typedef struct SaligateShape {
  // Channels of a picture: 1 for grey, 3 for red, green, blue.
  size_t channels;
  // Rows of a picture.
  size_t height;
  // Columns of a picture.
  size_t width;
  // Number of classes.
  size_t classes;
} SaligateShape;

// A picture of a model's size, 8 bits per value.
typedef struct SaligatePicture {
  // The values.
  const uint8_t *pixels;
  // Number of values: channels times height times width.
  size_t length;
  // Their order, one of `SaligateOrder`.
  uint32_t order;
} SaligatePicture;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// What happened in the last call of this thread that did not end with `SALIGATE_STATUS_OK`, as
// UTF-8. The text is good until the next call of this thread.
const char *saligate_message(void);

// Takes the trigger out of a key file that is not sealed.
//
// # Safety
// `model` is one of [`saligate_open`](crate::saligate_open)'s, `key` a text, `access` a place for
// a pointer.
enum SaligateStatus saligate_access_with_key(const struct SaligateModel *model,
                                             const char *key,
                                             struct SaligateAccess **access);

// Checks a licence, and takes the trigger out of it.
//
// `method` is one to explain by, null for the model's first; others are checked when they are used.
// `device` is the name of this device, null where it has none; [`saligate_device`] tells one.
// Licence and identity are files; the identity is not sealed. A licence that is not good for this,
// or that was changed, is `SALIGATE_STATUS_NO`.
//
// # Safety
// `model` is one of [`saligate_open`](crate::saligate_open)'s, texts are texts or null where that
// is allowed, `access` is a place for a pointer.
enum SaligateStatus saligate_access_with_license(const struct SaligateModel *model,
                                                 const char *license,
                                                 const char *identity,
                                                 const char *method,
                                                 const char *device,
                                                 struct SaligateAccess **access);

// Copies the name that this device has in licences, cut off where `room` bytes are too few; it
// always ends with a zero. A system without a machine id has none, which is
// `SALIGATE_STATUS_NO`.
//
// # Safety
// `name` has room for so many bytes.
enum SaligateStatus saligate_device(char *name, size_t room);

// Wipes and frees; null is nothing to do.
//
// # Safety
// `access` is null, or came from a function of this library and was not freed before.
void saligate_access_free(struct SaligateAccess *access);

// Version of the library.
const char *saligate_version(void);

// Opens a model file. `threads` share the work on a picture; 1 is a good number for small models.
//
// # Safety
// `file` is a text, `model` a place for a pointer.
enum SaligateStatus saligate_open(const char *file, size_t threads, struct SaligateModel **model);

// Frees a model; null is nothing to do.
//
// # Safety
// `model` is null, or came from [`saligate_open`] and was not freed before.
void saligate_free(struct SaligateModel *model);

// What a model takes and answers.
//
// # Safety
// `model` is one of [`saligate_open`]'s, `shape` a place for the result.
enum SaligateStatus saligate_shape(const struct SaligateModel *model, struct SaligateShape *shape);

// Copies the name of a class, cut off where `room` bytes are too few; it always ends with a zero.
//
// # Safety
// `model` is one of [`saligate_open`]'s, `name` has room for so many bytes.
enum SaligateStatus saligate_label(const struct SaligateModel *model,
                                   size_t class_,
                                   char *name,
                                   size_t room);

// Predicts the class of a picture. `logits`, one per class, may be null.
//
// # Safety
// `model` is one of [`saligate_open`]'s, the picture holds as many pixels as it says, `logits` has
// room for `classes` floats, `predicted` is a place for the result.
enum SaligateStatus saligate_predict(const struct SaligateModel *model,
                                     struct SaligatePicture picture,
                                     float *logits,
                                     size_t classes,
                                     size_t *predicted);

// Explains a picture: `map` becomes the saliency map `[row][column]` of the picture's size, not
// scaled for display.
//
// `method` is one of the model's, null for the first. `class_` is explained, or the predicted one
// where it is negative; `explained`, which may be null, tells which it was. Without `access`
// (null) a locked model shows its decoy. A licence is checked in every call: it may end meanwhile,
// or not allow the method, which is `SALIGATE_STATUS_NO`.
//
// # Safety
// `model` is one of [`saligate_open`]'s, the picture holds as many pixels as it says, `method` is
// a text or null, `access` is null or of a function of this library, `map` has room for `length`
// floats.
enum SaligateStatus saligate_explain(const struct SaligateModel *model,
                                     struct SaligatePicture picture,
                                     const char *method,
                                     int64_t class_,
                                     const struct SaligateAccess *access,
                                     float *map,
                                     size_t length,
                                     size_t *explained);

// Whether the gate finds a key on a picture: 1 or 0, and -1 for a model without a gate that tells.
//
// Noise, or black and white pixels, may hide the key of an `access`; the map is then the decoy.
// Takes as long as a prediction. `method` is one that the access allows, null for the model's first.
//
// # Safety
// As [`saligate_explain`]; `found` is a place for the result.
enum SaligateStatus saligate_key_found(const struct SaligateModel *model,
                                       struct SaligatePicture picture,
                                       const char *method,
                                       const struct SaligateAccess *access,
                                       int32_t *found);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* SALIGATE_H */
