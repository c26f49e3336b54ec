/* Opens a sealed model in the ways that there are: sealed MODEL KEY LICENSE IDENTITY RAW OTHER
   RAW holds the picture's values [channel][row][column], OTHER is a key of another model. Prints the
   class and some values of the map of each network. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "saligate.h"

static void check(SaligateStatus status) {
    if (status != SALIGATE_STATUS_OK) {
        fprintf(stderr, "%d: %s\n", (int)status, saligate_message());
        exit(10 + (int)status);
    }
}

static void show(const char *name, const SaligateModel *model, SaligatePicture picture, const SaligateAccess *access) {
    SaligateShape shape;
    check(saligate_shape(model, &shape));
    size_t class = 0, cells = shape.height * shape.width;
    check(saligate_predict(model, picture, NULL, shape.classes, &class));
    float *map = malloc(cells * sizeof *map);
    check(saligate_explain(model, picture, NULL, -1, access, map, cells, NULL));
    printf("%s %zu", name, class);
    for (size_t i = 0; i < cells; i += cells / 8)
        printf(" %.9g", map[i]);
    printf("\n");
    free(map);
}

int main(int count, char **words) {
    if (count != 7)
        return 3;
    SaligateModel *model = NULL;
    SaligateAccess *access = NULL;
    check(saligate_open(words[1], 1, &model));
    SaligateShape shape;
    check(saligate_shape(model, &shape));
    size_t length = shape.channels * shape.height * shape.width;
    uint8_t *pixels = malloc(length);
    FILE *file = fopen(words[5], "rb");
    if (!file || fread(pixels, 1, length, file) != length)
        return 3;
    fclose(file);
    SaligatePicture picture = {pixels, length, SALIGATE_ORDER_PLANAR};
    show("public", model, picture, NULL);
    printf("%d", (int)saligate_access_with_key(model, words[2], &access));
    printf(" %s\n", saligate_message());
    saligate_free(model);

    check(saligate_open_with_key(words[1], NULL, words[2], 1, &model, &access));
    show("key", model, picture, access);
    saligate_access_free(access);
    saligate_free(model);
    check(saligate_open_with_license(words[1], NULL, words[3], words[4], NULL, NULL, 2, &model, &access));
    show("licence", model, picture, access);
    saligate_access_free(access);
    saligate_free(model);
    printf("%d", (int)saligate_open_with_key(words[1], NULL, words[6], 1, &model, &access));
    printf(" %s\n", saligate_message());
    free(pixels);
    return 0;
}
