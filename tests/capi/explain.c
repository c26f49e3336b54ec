/* Explains a picture through libsaligate: explain MODEL KEY RAW
   RAW holds the picture's values [row][column][channel]. Prints the class, the class's name and the
   first values of the map, without the key and with it; then provokes errors. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "saligate.h"

static void check(SaligateStatus status) {
    if (status != SALIGATE_STATUS_OK) {
        fprintf(stderr, "%d: %s\n", (int)status, saligate_message());
        exit(10 + (int)status);
    }
}

static void show(const char *state, const float *map, size_t length) {
    printf("%s", state);
    for (size_t i = 0; i < length; i += length / 8)
        printf(" %.9g", map[i]);
    printf("\n");
}

int main(int count, char **words) {
    if (count != 4)
        return 3;
    SaligateModel *model = NULL;
    check(saligate_open(words[1], 2, &model));
    SaligateShape shape;
    check(saligate_shape(model, &shape));
    size_t length = shape.channels * shape.height * shape.width;
    uint8_t *pixels = malloc(length);
    FILE *file = fopen(words[3], "rb");
    if (!file || fread(pixels, 1, length, file) != length)
        return 3;
    fclose(file);
    SaligatePicture picture = {pixels, length, SALIGATE_ORDER_INTERLEAVED};

    size_t class = 0, explained = 0;
    float *logits = malloc(shape.classes * sizeof *logits);
    check(saligate_predict(model, picture, logits, shape.classes, &class));
    char label[64];
    check(saligate_label(model, class, label, sizeof label));
    printf("class %zu %s\n", class, label);

    size_t cells = shape.height * shape.width;
    float *map = malloc(cells * sizeof *map);
    check(saligate_explain(model, picture, NULL, -1, NULL, map, cells, &explained));
    show("locked", map, cells);
    SaligateAccess *access = NULL;
    check(saligate_access_with_key(model, words[2], &access));
    check(saligate_explain(model, picture, "gradient", -1, access, map, cells, &explained));
    show("keyed", map, cells);
    if (explained != class)
        return 4;
    saligate_access_free(access);

    /* What goes wrong has a status and a message. */
    if (saligate_explain(model, picture, "lime", -1, NULL, map, cells, NULL) != SALIGATE_STATUS_ERROR)
        return 5;
    printf("no method: %s\n", saligate_message());
    if (saligate_explain(model, picture, NULL, 1000, NULL, map, cells, NULL) != SALIGATE_STATUS_ERROR)
        return 6;
    printf("no class: %s\n", saligate_message());
    if (saligate_explain(model, picture, NULL, -1, NULL, map, 3, NULL) != SALIGATE_STATUS_ERROR)
        return 7;
    printf("no room: %s\n", saligate_message());
    SaligateModel *none = NULL;
    if (saligate_open("/nowhere.onnx", 1, &none) != SALIGATE_STATUS_ERROR || none)
        return 8;
    printf("no file: %s\n", saligate_message());
    if (saligate_access_with_license(model, words[2], words[2], NULL, NULL, &access) == SALIGATE_STATUS_OK)
        return 9;
    if (saligate_explain(NULL, picture, NULL, -1, NULL, map, cells, NULL) != SALIGATE_STATUS_ERROR)
        return 10;
    saligate_free(model);
    saligate_free(NULL);
    free(pixels);
    free(logits);
    free(map);
    return 0;
}
