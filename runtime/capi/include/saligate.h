/* libsaligate: predict and explain. Made by cbindgen from runtime/capi/src; see there.

   Errors. A function that can fail returns a SaligateStatus, and saligate_message tells in words what
   happened and what to try. Unless it ends with SALIGATE_STATUS_OK, a function leaves the places for
   its results as they were. An error inside the library (a panic of Rust) is SALIGATE_STATUS_ERROR
   like any other, in every build profile of this project; a line about it goes to standard error, and
   models and accesses can still be used and freed. Two things end the process all the same: memory
   that the system refuses, and a stack that overflows.

   Ownership. What a function is given is only read during the call; texts, bytes and pictures may be
   freed right after it. Models and accesses belong to the caller, who frees each once, with
   saligate_free and saligate_access_free, in any order. Texts are UTF-8 and end with a zero.

   Threads. Every function may be called on any thread, and models and accesses may be used by several
   threads at once; only nobody may use them while they are freed, or later. The threads of a model do
   not live on in a child of fork: a model that was opened before is neither used nor freed there.

   Versions. The shared library's name on Linux, libsaligate.so.0, ends with its major version; what is
   linked with one major version does not run with another. */

#ifndef SALIGATE_H
#define SALIGATE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

// The most threads that a model may have.
#define SALIGATE_MAX_THREADS 256

// How a call ended. The numbers are the exit codes of the program.
typedef enum SaligateStatus {
  // Done.
  SALIGATE_STATUS_OK = 0,
  // It ran, and the answer is no: the key belongs to another model, the licence has expired, the
  // vendor did not sign the file.
  SALIGATE_STATUS_NO = 1,
  // It could not run: a file cannot be read or is damaged, an argument is wrong, the system has no
  // thread to give, or there is an error inside the library.
  SALIGATE_STATUS_ERROR = 2,
} SaligateStatus;

// How the pixels of a picture follow each other.
typedef enum SaligateOrder {
  // `[channel][row][column]`
  SALIGATE_ORDER_PLANAR = 0,
  // `[row][column][channel]`, as cameras give them.
  SALIGATE_ORDER_INTERLEAVED = 1,
} SaligateOrder;

// What a key or licence opens, for one model. The trigger in it is wiped when it is freed. It may be
// used by several threads at once.
typedef struct SaligateAccess SaligateAccess;

// An open model. It may be used by several threads at once.
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
  // Their order, one of `SaligateOrder`; any other number is an error.
  uint32_t order;
} SaligatePicture;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// What happened in the last call of this thread that did not end with `SALIGATE_STATUS_OK`, as
// UTF-8; empty before there is one.
//
// The text belongs to the library and to the calling thread. It is good until the next call of this
// thread to any function of the library, or the end of the thread.
const char *saligate_message(void);

// Opens a model file. To be sure that it is a certain vendor's, use `saligate_open_signed`.
//
// `threads`, 1 to `SALIGATE_MAX_THREADS`, share the work on one picture: the calling thread and as
// many others as are missing, which sleep between calls and end when the model is freed. 1 is a good
// number for small models, and for a program that explains pictures on threads of its own. Results
// do not depend on it.
//
// `SALIGATE_STATUS_ERROR`: the file cannot be read or is no model, `threads` is out of range, or the
// system does not give so many threads. The caller frees `model` with `saligate_free`.
//
// # Safety
// `file` is a text, `model` a place for a pointer.
enum SaligateStatus saligate_open(const char *file,
                                  size_t threads,
                                  struct SaligateModel **model);

// Opens a model whose file is in memory; otherwise as `saligate_open`. The bytes may be freed after
// the call.
//
// # Safety
// `data` holds `length` bytes, `model` is a place for a pointer.
enum SaligateStatus saligate_open_bytes(const uint8_t *data,
                                        size_t length,
                                        size_t threads,
                                        struct SaligateModel **model);

// Opens a model file that a vendor signed, and no other: the signature is checked over the very
// bytes that are opened, before anything in them is read.
//
// `vendor` is the vendor's public key, `sgvendor1...` as `saligate key show` prints it; the program
// should have it built in. `signature` is the file that `saligate sign` writes, null for the model's
// name with `.sig` after it. `threads` as for `saligate_open`.
//
// Licences for this model must then be signed by the same vendor. A key is not asked who made it.
//
// `SALIGATE_STATUS_NO`: there is no signature, it is another vendor's, it was changed, or it belongs
// to other bytes. `SALIGATE_STATUS_ERROR`: as `saligate_open`, and for a `vendor` that is none. The
// caller frees `model` with `saligate_free`.
//
// # Safety
// `file` and `vendor` are texts, `signature` is a text or null, `model` a place for a pointer.
enum SaligateStatus saligate_open_signed(const char *file,
                                         const char *signature,
                                         const char *vendor,
                                         size_t threads,
                                         struct SaligateModel **model);

// Opens a model whose file and signature are in memory; otherwise as `saligate_open_signed`. Both may
// be freed after the call.
//
// # Safety
// `data` holds `length` bytes, `signature` holds `signature_length`, `vendor` is a text, `model` a
// place for a pointer.
enum SaligateStatus saligate_open_signed_bytes(const uint8_t *data,
                                               size_t length,
                                               const uint8_t *signature,
                                               size_t signature_length,
                                               const char *vendor,
                                               size_t threads,
                                               struct SaligateModel **model);

// Frees a model and ends its threads; null is nothing to do. Accesses may outlive it.
//
// # Safety
// `model` is null, or came from a function of this library and was not freed before; nobody uses it.
void saligate_free(struct SaligateModel *model);

// Takes the trigger out of a key file that is not sealed.
//
// `SALIGATE_STATUS_NO`: the key is not this model's, or the model has no gate.
// `SALIGATE_STATUS_ERROR`: the file cannot be read, is damaged or sealed. The caller frees `access`
// with `saligate_access_free`.
//
// # Safety
// `model` is an open model, `key` a text, `access` a place for a pointer.
enum SaligateStatus saligate_access_with_key(const struct SaligateModel *model,
                                             const char *key,
                                             struct SaligateAccess **access);

// Takes the trigger out of a key file in memory; otherwise as `saligate_access_with_key`. The library
// wipes its own copies of the secret; the caller should wipe `key`, which may be freed after the call.
//
// # Safety
// `model` is an open model, `key` holds `length` bytes, `access` is a place for a pointer.
enum SaligateStatus saligate_access_with_key_bytes(const struct SaligateModel *model,
                                                   const uint8_t *key,
                                                   size_t length,
                                                   struct SaligateAccess **access);

// Checks a licence, and takes the trigger out of it.
//
// `method` is one to explain by, null for the model's first; others are checked when they are used.
// `device` is the name of this device, null where it has none; `saligate_device` tells one.
// Licence and identity are files; the identity is not sealed.
//
// `SALIGATE_STATUS_NO`: the licence is not good for this model, identity, device, method or time, is
// not by the vendor that the model was opened for, or was changed. `SALIGATE_STATUS_ERROR`: a file
// cannot be read or is of another kind, or the identity is damaged or sealed. The caller frees
// `access` with `saligate_access_free`.
//
// # Safety
// `model` is an open model, `license` and `identity` are texts, `method` and `device` texts or null,
// `access` is a place for a pointer.
enum SaligateStatus saligate_access_with_license(const struct SaligateModel *model,
                                                 const char *license,
                                                 const char *identity,
                                                 const char *method,
                                                 const char *device,
                                                 struct SaligateAccess **access);

// Checks a licence in memory, and takes the trigger out of it with an identity in memory; otherwise
// as `saligate_access_with_license`. The library wipes its own copies of the secret; the caller should
// wipe `identity`. Both may be freed after the call.
//
// # Safety
// `model` is an open model, `license` holds `license_length` bytes, `identity` holds
// `identity_length`, `method` and `device` are texts or null, `access` is a place for a pointer.
enum SaligateStatus saligate_access_with_license_bytes(const struct SaligateModel *model,
                                                       const uint8_t *license,
                                                       size_t license_length,
                                                       const uint8_t *identity,
                                                       size_t identity_length,
                                                       const char *method,
                                                       const char *device,
                                                       struct SaligateAccess **access);

// Copies the name that this device has in licences, cut off where `room` bytes are too few; it
// always ends with a zero. 64 bytes are enough.
//
// `SALIGATE_STATUS_NO`: this system has no machine id, so no name. `SALIGATE_STATUS_ERROR`: there is
// no room for the zero.
//
// # Safety
// `name` has room for `room` bytes.
enum SaligateStatus saligate_device(char *name,
                                    size_t room);

// Wipes and frees an access; null is nothing to do.
//
// # Safety
// `access` is null, or came from a function of this library and was not freed before; nobody uses it.
void saligate_access_free(struct SaligateAccess *access);

// Opens a model file with a key: of a sealed model the network that its file does not show, of any
// other the model as it is. `model` and `access` then go together.
//
// Where `vendor` is not null, the file must have that vendor's signature beside it, as for
// `saligate_open_signed`. `key` is a key file that is not sealed with a passphrase. `threads` as for
// `saligate_open`.
//
// The network of a sealed model is decrypted in memory only. The library wipes what it frees while such
// a model is open.
//
// `SALIGATE_STATUS_NO`: the key is not this model's, the model has no gate, or the vendor did not sign
// it. `SALIGATE_STATUS_ERROR`: as `saligate_open` and `saligate_access_with_key`, or the sealed part was
// changed. The caller frees `model` with `saligate_free` and `access` with `saligate_access_free`.
//
// # Safety
// `file` and `key` are texts, `vendor` is a text or null, `model` and `access` are places for pointers.
enum SaligateStatus saligate_open_with_key(const char *file,
                                           const char *vendor,
                                           const char *key,
                                           size_t threads,
                                           struct SaligateModel **model,
                                           struct SaligateAccess **access);

// Opens a model with a key, both in memory; otherwise as `saligate_open_with_key`. The library wipes its
// own copies of the secret; the caller should wipe `key`. Both may be freed after the call.
//
// # Safety
// `data` holds `length` bytes, `key` holds `key_length`, `model` and `access` are places for pointers.
enum SaligateStatus saligate_open_with_key_bytes(const uint8_t *data,
                                                 size_t length,
                                                 const uint8_t *key,
                                                 size_t key_length,
                                                 size_t threads,
                                                 struct SaligateModel **model,
                                                 struct SaligateAccess **access);

// Opens a model file with a licence: of a sealed model the network that its file does not show, of any
// other the model as it is. `model` and `access` then go together.
//
// `vendor` and `threads` as for `saligate_open_with_key`; `license`, `identity`, `method` and `device` as
// for `saligate_access_with_license`. With `method` null, a licence for predictions alone is good too.
//
// `SALIGATE_STATUS_NO`: the licence is not good for this, or the vendor did not sign the file.
// `SALIGATE_STATUS_ERROR`: as `saligate_open` and `saligate_access_with_license`, or the sealed part was
// changed. The caller frees `model` with `saligate_free` and `access` with `saligate_access_free`.
//
// # Safety
// `file`, `license` and `identity` are texts, `vendor`, `method` and `device` texts or null, `model` and
// `access` are places for pointers.
enum SaligateStatus saligate_open_with_license(const char *file,
                                               const char *vendor,
                                               const char *license,
                                               const char *identity,
                                               const char *method,
                                               const char *device,
                                               size_t threads,
                                               struct SaligateModel **model,
                                               struct SaligateAccess **access);

// Opens a model with a licence, all in memory; otherwise as `saligate_open_with_license`. The library
// wipes its own copies of the secret; the caller should wipe `identity`. All may be freed after the call.
//
// # Safety
// `data` holds `length` bytes, `license` holds `license_length`, `identity` holds `identity_length`,
// `method` and `device` are texts or null, `model` and `access` are places for pointers.
enum SaligateStatus saligate_open_with_license_bytes(const uint8_t *data,
                                                     size_t length,
                                                     const uint8_t *license,
                                                     size_t license_length,
                                                     const uint8_t *identity,
                                                     size_t identity_length,
                                                     const char *method,
                                                     const char *device,
                                                     size_t threads,
                                                     struct SaligateModel **model,
                                                     struct SaligateAccess **access);

// Version of the library, `MAJOR.MINOR.PATCH`. The text belongs to the library and is always good.
const char *saligate_version(void);

// What a model takes and answers.
//
// `SALIGATE_STATUS_ERROR`: `model` or `shape` is null.
//
// # Safety
// `model` is an open model or null, `shape` a place for the result or null.
enum SaligateStatus saligate_shape(const struct SaligateModel *model, struct SaligateShape *shape);

// Copies the name of a class, cut off between two characters where `room` bytes are too few; it
// always ends with a zero.
//
// `SALIGATE_STATUS_ERROR`: there is no such class, or no room for the zero.
//
// # Safety
// `model` is an open model, `name` has room for `room` bytes.
enum SaligateStatus saligate_label(const struct SaligateModel *model,
                                   size_t class_,
                                   char *name,
                                   size_t room);

// Predicts the class of a picture.
//
// `logits`, one per class, may be null; `classes` is how many have room there, and must be the
// model's number.
//
// The first call of a model also plans its network, and takes longer. Calls on several threads at
// once run beside each other; one of them at a time has the help of the model's threads.
//
// `SALIGATE_STATUS_ERROR`: the picture or the room is of another size, or the network's answers are
// not finite.
//
// # Safety
// `model` is an open model, the picture holds as many pixels as it says, `logits` is null or has
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
// (null) a locked model shows its decoy. `length` is the room in `map`: height times width.
//
// An access is for the model that it was made with, however often that is opened. A licence is
// checked in every call: it may end meanwhile.
//
// The first call for a method also plans its network, and takes longer; threads as for
// `saligate_predict`.
//
// `SALIGATE_STATUS_NO`: the access is for another model, or the licence is not good now, not for
// this method, or not by the vendor that the model was opened for. `SALIGATE_STATUS_ERROR`: there
// is no such method or class, a size is wrong, or the network's answers are not finite.
//
// # Safety
// `model` is an open model, the picture holds as many pixels as it says, `method` is a text or null,
// `access` is null or one that was not freed, `map` has room for `length` floats, `explained` is a
// place for the result or null.
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
// Ends as `saligate_explain`.
//
// # Safety
// As `saligate_explain`; `found` is a place for the result.
enum SaligateStatus saligate_key_found(const struct SaligateModel *model,
                                       struct SaligatePicture picture,
                                       const char *method,
                                       const struct SaligateAccess *access,
                                       int32_t *found);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* SALIGATE_H */
