/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of known data sets: sizes and file names as their publishers give them.
 *
 * Sources: MNIST (LeCun, Cortes, Burges), Fashion-MNIST (Xiao, Rasul, Vollgraf, 2017), EMNIST
 * (Cohen et al., 2017; counts are those of the published gzip.zip), CIFAR (Krizhevsky, 2009).
 */
#include "dataset/dataset.h"

#include <stdlib.h>
#include <string.h>

static const char *const digit_names[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};

static const char *const fashion_names[] = {"T-shirt/top", "Trouser",   "Pullover", "Dress",
                                            "Coat",        "Sandal",    "Shirt",    "Sneaker",
                                            "Bag",         "Ankle boot"};

/* EMNIST's order: digits, capital letters, small letters. By class all 62 are told apart. */
static const char *const emnist_class_names[] = {
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "A", "B", "C", "D", "E", "F",
    "G", "H", "I", "J", "K", "L", "M", "N", "O", "P", "Q", "R", "S", "T", "U", "V",
    "W", "X", "Y", "Z", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l",
    "m", "n", "o", "p", "q", "r", "s", "t", "u", "v", "w", "x", "y", "z"};

/* By merge and balanced: the 15 letters whose capitals look like their small form share a class. */
static const char *const emnist_merge_names[] = {
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "A", "B", "C", "D", "E", "F",
    "G", "H", "I", "J", "K", "L", "M", "N", "O", "P", "Q", "R", "S", "T", "U", "V",
    "W", "X", "Y", "Z", "a", "b", "d", "e", "f", "g", "h", "n", "q", "r", "t"};

static const char *const letter_names[] = {"A", "B", "C", "D", "E", "F", "G", "H", "I",
                                           "J", "K", "L", "M", "N", "O", "P", "Q", "R",
                                           "S", "T", "U", "V", "W", "X", "Y", "Z"};

static const char *const cifar10_names[] = {"airplane", "automobile", "bird",  "cat",  "deer",
                                            "dog",      "frog",       "horse", "ship", "truck"};

static const char *const cifar100_names[] = {
    "apple",       "aquarium_fish", "baby",      "bear",       "beaver",       "bed",
    "bee",         "beetle",        "bicycle",   "bottle",     "bowl",         "boy",
    "bridge",      "bus",           "butterfly", "camel",      "can",          "castle",
    "caterpillar", "cattle",        "chair",     "chimpanzee", "clock",        "cloud",
    "cockroach",   "couch",         "crab",      "crocodile",  "cup",          "dinosaur",
    "dolphin",     "elephant",      "flatfish",  "forest",     "fox",          "girl",
    "hamster",     "house",         "kangaroo",  "keyboard",   "lamp",         "lawn_mower",
    "leopard",     "lion",          "lizard",    "lobster",    "man",          "maple_tree",
    "motorcycle",  "mountain",      "mouse",     "mushroom",   "oak_tree",     "orange",
    "orchid",      "otter",         "palm_tree", "pear",       "pickup_truck", "pine_tree",
    "plain",       "plate",         "poppy",     "porcupine",  "possum",       "rabbit",
    "raccoon",     "ray",           "road",      "rocket",     "rose",         "sea",
    "seal",        "shark",         "shrew",     "skunk",      "skyscraper",   "snail",
    "snake",       "spider",        "squirrel",  "streetcar",  "sunflower",    "sweet_pepper",
    "table",       "tank",          "telephone", "television", "tiger",        "tractor",
    "train",       "trout",         "tulip",     "turtle",     "wardrobe",     "whale",
    "willow_tree", "wolf",          "woman",     "worm"};

static const char *const idx_published[] = {
    "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz", NULL};
static const char *const idx_train[] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte", NULL};
static const char *const idx_test[] = {"t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", NULL};

static const char *const emnist_published[] = {"gzip.zip", NULL};
#define EMNIST_FILES(kind, split)                                                                  \
    (const char *const[])                                                                          \
    {                                                                                              \
        "emnist-" kind "-" split "-images-idx3-ubyte",                                             \
            "emnist-" kind "-" split "-labels-idx1-ubyte", NULL                                    \
    }

static const char *const cifar10_published[] = {"cifar-10-binary.tar.gz", NULL};
static const char *const cifar10_train[] = {"data_batch_1.bin", "data_batch_2.bin",
                                            "data_batch_3.bin", "data_batch_4.bin",
                                            "data_batch_5.bin", NULL};
static const char *const cifar10_test[] = {"test_batch.bin", NULL};

static const char *const cifar100_published[] = {"cifar-100-binary.tar.gz", NULL};
static const char *const cifar100_train[] = {"train.bin", NULL};
static const char *const cifar100_test[] = {"test.bin", NULL};

static const char *const nothing_published[] = {NULL};

#define EMNIST(kind, title_text, class_count, names, train, test, first)                           \
    {                                                                                              \
        .info = {.name = "emnist-" kind,                                                           \
                 .title = "EMNIST " title_text,                                                    \
                 .channels = 1,                                                                    \
                 .height = 28,                                                                     \
                 .width = 28,                                                                      \
                 .classes = (class_count),                                                         \
                 .train_count = (train),                                                           \
                 .test_count = (test),                                                             \
                 .download_bytes = 561753746},                                                     \
        .format = DATASET_FORMAT_IDX, .folder = "emnist", .class_names = (names),                  \
        .published = emnist_published, .archive = "gzip.zip", .archive_folder = "gzip",            \
        .split_files = {EMNIST_FILES(kind, "train"), EMNIST_FILES(kind, "test")},                  \
        .first_label = (first), .transposed = true                                                 \
    }

static const struct dataset_known known_sets[] = {
    {.info = {.name = "mnist",
              .title = "MNIST: handwritten digits, 28x28 grey",
              .channels = 1,
              .height = 28,
              .width = 28,
              .classes = 10,
              .train_count = 60000,
              .test_count = 10000,
              .download_bytes = 11594722},
     .format = DATASET_FORMAT_IDX,
     .folder = "mnist",
     .class_names = digit_names,
     .published = idx_published,
     .split_files = {idx_train, idx_test}},
    {.info = {.name = "fashion-mnist",
              .title = "Fashion-MNIST: articles of clothing, 28x28 grey",
              .channels = 1,
              .height = 28,
              .width = 28,
              .classes = 10,
              .train_count = 60000,
              .test_count = 10000,
              .download_bytes = 30878645},
     .format = DATASET_FORMAT_IDX,
     .folder = "fashion-mnist",
     .class_names = fashion_names,
     .published = idx_published,
     .split_files = {idx_train, idx_test}},
    EMNIST("balanced", "balanced: digits and letters, equally many a class", 47, emnist_merge_names,
           112800, 18800, 0),
    EMNIST("byclass", "by class: digits, capital and small letters", 62, emnist_class_names, 697932,
           116323, 0),
    EMNIST("bymerge", "by merge: digits and letters, look-alikes merged", 47, emnist_merge_names,
           697932, 116323, 0),
    EMNIST("digits", "digits", 10, digit_names, 240000, 40000, 0),
    EMNIST("letters", "letters: capital and small merged", 26, letter_names, 124800, 20800, 1),
    EMNIST("mnist", "MNIST: digits in MNIST's own form", 10, digit_names, 60000, 10000, 0),
    {.info = {.name = "cifar10",
              .title = "CIFAR-10: photographs of ten classes, 32x32 colour",
              .channels = 3,
              .height = 32,
              .width = 32,
              .classes = 10,
              .train_count = 50000,
              .test_count = 10000,
              .download_bytes = 170052171},
     .format = DATASET_FORMAT_CIFAR,
     .folder = "cifar10",
     .class_names = cifar10_names,
     .published = cifar10_published,
     .archive = "cifar-10-binary.tar.gz",
     .archive_folder = "cifar-10-batches-bin",
     .split_files = {cifar10_train, cifar10_test},
     .label_bytes = 1},
    {.info = {.name = "cifar100",
              .title = "CIFAR-100: photographs of a hundred classes, 32x32 colour",
              .channels = 3,
              .height = 32,
              .width = 32,
              .classes = 100,
              .train_count = 50000,
              .test_count = 10000,
              .download_bytes = 168513733},
     .format = DATASET_FORMAT_CIFAR,
     .folder = "cifar100",
     .class_names = cifar100_names,
     .published = cifar100_published,
     .archive = "cifar-100-binary.tar.gz",
     .archive_folder = "cifar-100-binary",
     .split_files = {cifar100_train, cifar100_test},
     .label_bytes = 2},
    {.info = {.name = "digits",
              .title = "Digits: drawn by 'bittern data make digits', 28x28 grey",
              .channels = 1,
              .height = 28,
              .width = 28,
              .classes = 10},
     .format = DATASET_FORMAT_IDX,
     .folder = "digits",
     .class_names = digit_names,
     .published = nothing_published,
     .split_files = {idx_train, idx_test}},
};

#define KNOWN_COUNT (sizeof known_sets / sizeof known_sets[0])

const struct dataset_known *dataset_known_at(size_t index)
{
    return index < KNOWN_COUNT ? &known_sets[index] : NULL;
}

const struct dataset_known *dataset_known_find(const char *name)
{
    for (size_t i = 0; i < KNOWN_COUNT; i++) {
        if (strcmp(known_sets[i].info.name, name) == 0) {
            return &known_sets[i];
        }
    }
    return NULL;
}

bittern_status dataset_known_get(const char *name, const struct dataset_known **known,
                                 struct bittern_error *err)
{
    *known = dataset_known_find(name);
    if (*known) {
        return BITTERN_OK;
    }
    char list[512] = "";
    size_t used = 0;
    for (size_t i = 0; i < KNOWN_COUNT; i++) {
        const char *known_name = known_sets[i].info.name;
        size_t length = strlen(known_name);
        if (used + length + 3 <= sizeof list) {
            memcpy(list + used, used > 0 ? ", " : "", used > 0 ? 2 : 0);
            used += used > 0 ? 2 : 0;
            memcpy(list + used, known_name, length + 1);
            used += length;
        }
    }
    return bittern_error_set(err, BITTERN_ERR_NOT_FOUND, "there is no data set '%s'; known are %s",
                             name, list);
}

const struct bittern_dataset_info *bittern_dataset_known(size_t index)
{
    const struct dataset_known *known = dataset_known_at(index);
    return known ? &known->info : NULL;
}

const struct bittern_dataset_info *bittern_dataset_find_info(const char *name)
{
    const struct dataset_known *known = dataset_known_find(name);
    return known ? &known->info : NULL;
}
