/* What clang lacks of gcc's extensions; included first by race.sh. */
#ifndef CHECKERS_RACE_CLANG_H
#define CHECKERS_RACE_CLANG_H

/* One copy of each function: clang 14 knows clones by another name outside their file. */
#define target_clones(...) unused

#define __builtin_shuffle(vector, ...)                                                             \
  __extension__({                                                                                  \
    const __typeof__(vector) shuffle_from_ = (vector);                                             \
    const __typeof__(__VA_ARGS__) shuffle_mask_ = __VA_ARGS__;                                     \
    __typeof__(vector) shuffle_to_ = shuffle_from_;                                                \
    for (unsigned i_ = 0; i_ < sizeof shuffle_mask_ / sizeof shuffle_mask_[0]; i_++) {             \
      shuffle_to_[i_] = shuffle_from_[shuffle_mask_[i_]];                                          \
    }                                                                                              \
    shuffle_to_;                                                                                   \
  })

#endif
