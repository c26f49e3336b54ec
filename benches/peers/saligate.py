"""libsaligate from Python, for measuring both in one process."""

import ctypes


class Picture(ctypes.Structure):
    _fields_ = [("pixels", ctypes.c_void_p), ("length", ctypes.c_size_t), ("order", ctypes.c_int)]


class Library:
    def __init__(self, path):
        self.c = ctypes.CDLL(str(path))
        self.c.saligate_message.restype = ctypes.c_char_p

    def check(self, status):
        if status:
            raise RuntimeError(self.c.saligate_message().decode())

    def open(self, path, threads):
        return Model(self, path, threads)


class Model:
    def __init__(self, library, path, threads):
        self.library, self.at = library, ctypes.c_void_p()
        library.check(library.c.saligate_open(
            str(path).encode(), ctypes.c_size_t(threads), ctypes.byref(self.at)))
        self.access = ctypes.c_void_p()

    def unlock(self, key):
        self.library.check(self.library.c.saligate_access_with_key(
            self.at, str(key).encode(), ctypes.byref(self.access)))

    def picture(self, pixels):
        return Picture(pixels.ctypes.data, pixels.size, 0)

    def predict(self, pixels):
        predicted = ctypes.c_size_t()
        self.library.check(self.library.c.saligate_predict(
            self.at, self.picture(pixels), None, ctypes.c_size_t(0), ctypes.byref(predicted)))
        return predicted.value

    def explain(self, pixels, method, room):
        self.library.check(self.library.c.saligate_explain(
            self.at, self.picture(pixels), method.encode(), ctypes.c_int64(-1), self.access,
            ctypes.c_void_p(room.ctypes.data), ctypes.c_size_t(room.size), None))
        return room

    def close(self):
        self.library.c.saligate_access_free(self.access)
        self.library.c.saligate_free(self.at)
