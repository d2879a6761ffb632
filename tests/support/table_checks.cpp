// SPDX-License-Identifier: BSD-3-Clause
#include "tests/support/table_checks.hpp"

#include "engine/dispatch/select_isa.hpp"

#include <vector>

namespace lanemax::checks {
namespace {

using Address = void (*)();

template <class T>
void collect(const Kernels<T>& k, std::vector<Address>& out) {
  const auto add = [&](auto pointer) { out.push_back(reinterpret_cast<Address>(pointer)); };
  add(k.load);
  add(k.logits);
  add(k.softmax_loss);
  add(k.hinge_loss);
  add(k.logistic_loss);
  add(k.softmax_probabilities);
  add(k.logistic_probabilities);
  add(k.choice);
  add(k.gradient);
  add(k.bias_gradient);
  add(k.feature_gradient);
  add(k.add);
  add(k.finish_gradient);
  add(k.update);
  add(k.adam);
  add(k.adagrad);
  add(k.exp);
  add(k.log1p);
}

std::vector<Address> slots(const KernelTable& table) {
  std::vector<Address> out = {reinterpret_cast<Address>(table.form_f32), reinterpret_cast<Address>(table.form_f64)};
  collect(table.f32, out);
  collect(table.f64, out);
  return out;
}
constexpr std::size_t kSlots = 38;
static_assert(sizeof(Kernels<float>) == 18 * sizeof(Address), "a new slot: collect it above");

}  // namespace

Verdict check_table(const KernelTable& table, Isa isa) {
  Judge judge;
  judge.require(table.isa == isa,
                [&] { return text("asked for ", name_of(isa), ", the table is that of ", name_of(table.isa)); });
  judge.require(text(table.name) == name_of(isa), [&] { return text("the table's name is ", table.name); });
  judge.require(table.features[0] != '\0', [] { return "no features"; });
  judge.require(table.blocks.serial_flops > 0, [] { return "no serial_flops"; });
  const std::vector<Address> mine = slots(table);
  judge.require(mine.size() == kSlots, [] { return "slots were missed"; });
  for (std::size_t i = 0; i < mine.size(); ++i) {
    judge.require(mine[i] != nullptr, [&] { return text("slot ", i, " is empty"); });
  }
  std::size_t count = 0;
  const IsaInfo* infos = known_isas(count);
  for (std::size_t k = 0; k < count; ++k) {
    const KernelTable* other = nullptr;
    if (infos[k].isa == isa || !select_kernels({.isa = infos[k].isa}, other).ok()) continue;
    const std::vector<Address> theirs = slots(*other);
    for (std::size_t i = 0; i < mine.size(); ++i) {
      judge.require(mine[i] != theirs[i],
                    [&] { return text("slot ", i, " of ", name_of(isa), " is that of ", infos[k].name); });
    }
  }
  return judge.finish(1);
}

}  // namespace lanemax::checks
