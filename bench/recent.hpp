// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_BENCH_RECENT_HPP
#define LANEMAX_BENCH_RECENT_HPP

#include <algorithm>
#include <iterator>
#include <list>
#include <memory>
#include <string>
#include <utility>

namespace lanemax::bench {

/// The last few things made, the latest first, none of them made twice while it is kept.
template <class Value>
class Recent {
 public:
  template <class Make, class Cost>
  std::shared_ptr<const Value> get(const std::string& key, double budget, Make&& make, Cost&& cost) {
    auto it = std::find_if(list_.begin(), list_.end(), [&](const auto& entry) { return entry.first == key; });
    if (it != list_.end()) {
      list_.splice(list_.begin(), list_, it);
      return list_.front().second;
    }
    list_.emplace_front(key, make());
    double total = 0;
    for (auto entry = list_.begin(); entry != list_.end();) {
      total += cost(*entry->second);
      entry = total > budget && entry != list_.begin() ? list_.erase(entry) : std::next(entry);
    }
    return list_.front().second;
  }

 private:
  std::list<std::pair<std::string, std::shared_ptr<const Value>>> list_;
};

}  // namespace lanemax::bench

#endif
