/* SPDX-License-Identifier: Apache-2.0 */
/* An activity file that holds all there is in one. */
#ifndef BITTERN_TEST_ENERGY_ACTIVITY_H
#define BITTERN_TEST_ENERGY_ACTIVITY_H

/* One layer; 2 units, words of 8 bits; all other figures powers of ten apart where it helps. */
static const char energy_activity_text[] =
    "{\"format\":\"bittern-activity\",\"version\":1,"
    "\"program\":{\"crc32\":7,\"geometry\":\"edge\"},\"family\":\"xc7\",\"images\":2,"
    "\"dataset\":\"mnist\",\"cycles\":300,\"read_bytes\":64,\"write_bytes\":32,"
    "\"array\":{\"word_bits\":8,\"output_channels\":2,\"pixels\":1},"
    "\"area\":{\"kernel\":{\"sites\":100,\"registers\":50,\"feature_bram36\":4,"
    "\"weight_bram36\":2,\"dsp\":1},\"unit\":{\"sites\":10,\"registers\":5}},"
    "\"layers\":[{\"name\":\"conv\",\"mode\":\"binary\",\"cycles\":200,\"enabled_cycles\":100,"
    "\"compute_cycles\":50,\"read_bytes\":32,\"write_bytes\":16,"
    "\"unit\":{\"toggles\":{\"input\":9,\"lut\":2,\"carry\":1,\"register\":3},"
    "\"routed\":{\"input\":1,\"lut\":1,\"carry\":1,\"register\":1},"
    "\"toggles_delayed\":{\"input\":9,\"lut\":4,\"carry\":1,\"register\":3},"
    "\"routed_delayed\":{\"input\":1,\"lut\":3,\"carry\":1,\"register\":1}},"
    "\"feature_memory\":{\"read_toggles\":0.5,\"write_bytes\":9,\"write_toggles\":0.25},"
    "\"weight_memory\":{\"reads\":1,\"read_toggles\":0.25,\"write_toggles\":0.5}}]}";

#endif
