// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_FIT_CHECKPOINT_ARCHIVE_HPP
#define LANEMAX_ENGINE_FIT_CHECKPOINT_ARCHIVE_HPP

#include "engine/fit/vectors.hpp"

#include <cstdint>
#include <string>

namespace lanemax {

/// A solver's state on its way into a checkpoint or out of one: the same calls in the same order both ways, so that
/// what is written and what is read cannot differ. Names are unique. Sizes are the caller's: a file in which they
/// differ is refused.
class Archive {
 public:
  virtual ~Archive() = default;
  virtual void number(const char* name, double& value) = 0;
  /// A file with a number above `most` is refused.
  virtual void count(const char* name, std::uint64_t& value, std::uint64_t most) = 0;
  virtual void array(const char* name, double* values, std::size_t size) = 0;
  virtual void array(const char* name, float* values, std::size_t size) = 0;

  void count(const char* name, std::uint64_t& value) { count(name, value, ~std::uint64_t{0}); }
  void array(const char* name, const Vector& vector) { array(name, vector.data(), vector.size()); }
  template <class Enum>
  void choice(const char* name, Enum& value, Enum last) {
    auto number_of = static_cast<std::uint64_t>(value);
    count(name, number_of, static_cast<std::uint64_t>(last));
    value = static_cast<Enum>(number_of);
  }
};

/// Something whose state can be kept.
class Resumable {
 public:
  virtual ~Resumable() = default;
  /// Writes the state to the archive or takes it from there. May throw std::bad_alloc.
  virtual void exchange(Archive& archive) = 0;
};

}  // namespace lanemax

#endif
