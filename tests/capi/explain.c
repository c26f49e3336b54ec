/* Explains a picture through libsaligate: explain MODEL KEY RAW LICENSE TAMPERED IDENTITY
   RAW holds the picture's values [row][column][channel]. Prints the class, the class's name and some
   values of the map, without the key, with it, and with the licence, which allows grad-cam alone;
   then provokes errors. */

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
    if (count != 7)
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
    int32_t with_key = -2, without = -2;
    check(saligate_key_found(model, picture, NULL, access, &with_key));
    check(saligate_key_found(model, picture, NULL, NULL, &without));
    if (with_key != 1 || without != 0)
        return 15;
    saligate_access_free(access);
    access = NULL;
    const char *license = words[4], *tampered = words[5], *identity = words[6];
    check(saligate_access_with_license(model, license, identity, "grad-cam", NULL, &access));
    check(saligate_explain(model, picture, "grad-cam", -1, access, map, cells, NULL));
    show("licensed", map, cells);
    if (saligate_explain(model, picture, "gradient", -1, access, map, cells, NULL) != SALIGATE_STATUS_NO)
        return 11;
    printf("not licensed: %s\n", saligate_message());
    saligate_access_free(access);
    access = NULL;
    if (saligate_access_with_license(model, license, identity, NULL, NULL, &access) != SALIGATE_STATUS_NO)
        return 12;
    printf("not licensed: %s\n", saligate_message());
    if (saligate_access_with_license(model, tampered, identity, "grad-cam", NULL, &access) != SALIGATE_STATUS_NO)
        return 13;
    printf("tampered: %s\n", saligate_message());
    if (saligate_access_with_license(model, license, identity, "grad-cam", NULL, NULL) != SALIGATE_STATUS_ERROR)
        return 14;
    char device[64];
    SaligateStatus named = saligate_device(device, sizeof device);
    printf("device %s\n", named == SALIGATE_STATUS_OK ? device : "");

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
    if (saligate_access_with_license(model, words[2], words[2], NULL, NULL, &access) != SALIGATE_STATUS_ERROR || access)
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
