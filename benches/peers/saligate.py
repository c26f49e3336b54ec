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

    def predictor(self, pixels):
        """A function that predicts; its arguments are made once, as a program in C has them."""
        call, check = self.library.c.saligate_predict, self.library.check
        predicted = ctypes.c_size_t()
        given = (self.at, Picture(pixels.ctypes.data, pixels.size, 0), None, ctypes.c_size_t(0),
                 ctypes.byref(predicted))

        # The array must live as long as its address is in use.
        return lambda _=pixels: check(call(*given))

    def explainer(self, pixels, method, room):
        """A function that explains into `room`."""
        call, check = self.library.c.saligate_explain, self.library.check
        given = (self.at, Picture(pixels.ctypes.data, pixels.size, 0), method.encode(),
                 ctypes.c_int64(-1), self.access, ctypes.c_void_p(room.ctypes.data),
                 ctypes.c_size_t(room.size), None)
        return lambda _=(pixels, room): check(call(*given))

    def close(self):
        self.library.c.saligate_access_free(self.access)
        self.library.c.saligate_free(self.at)
