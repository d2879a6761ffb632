// SPDX-License-Identifier: BSD-3-Clause
// What a fit must have in common with its past to go on from a checkpoint: each thing is named.
#include "engine/fit/checkpoint/checkpoint.hpp"
#include "engine/fit/checkpoint/identity.hpp"
#include "engine/fit/space/caller_side.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

namespace lanemax::test {
namespace {

/// Data and options that each have something of everything, to be changed one by one.
struct Case {
  std::vector<float> x = std::vector<float>(12);
  std::vector<std::int32_t> labels{0, 1, -1, 1};
  std::vector<float> targets = std::vector<float>(8, 0.5F);
  std::vector<float> weights{1, 2, 3, 0};
  std::vector<std::uint32_t> selection{2, 1, 0, 3};
  std::vector<double> centre{1, 2, 3};
  std::vector<float> factor{1, 2, 3};
  std::vector<double> start = std::vector<double>(16, 0.25);
  std::size_t classes = 2;
  std::string isa = "sse2";
  bool soft = false;
  Batch data, validation;
  FitOptions options;

  Case() {
    options.solver = Solver::momentum;
    options.objective.l2 = 0;
  }
  Case(const Case&) = delete;
  Case& operator=(const Case&) = delete;

  void connect() {
    for (Batch* b : {&data, &validation}) {
      b->features.data = x.data();
      b->features.samples = 4;
      if (b->features.features == 0) b->features.features = b->features.row_stride = 3;
      b->labels = soft ? LabelsView() : labels;
      if (soft) b->target_probabilities = {targets.data(), 4, 2};
    }
  }
  [[nodiscard]] FitIdentity identity() {
    connect();
    const Vector initial(start.size());
    for (std::size_t i = 0; i < start.size(); ++i) initial[i] = start[i];
    return identity_of(data, resolve(options, {3, 6}), classes, isa.c_str(), options.warm_start ? &initial : nullptr);
  }
};
/// Prepares both cases in the same way and then changes the second: the first pair that differs is this one.
void expect_named(const char* name, const std::function<void(Case&)>& prepare,
                  const std::function<void(Case&)>& change) {
  SCOPED_TRACE(name);
  Case before, after;
  prepare(before);
  prepare(after);
  const FitIdentity same = after.identity();
  const FitIdentity old = before.identity();
  EXPECT_EQ(same, old);
  change(after);
  const FitIdentity now = after.identity();
  for (std::size_t i = 0; i < std::min(now.size(), old.size()); ++i) {
    if (now[i] == old[i]) continue;
    EXPECT_EQ(now[i].first, name);
    EXPECT_EQ(old[i].first, name);
    return;
  }
  ADD_FAILURE() << "no difference";
}
void expect_named(const char* name, const std::function<void(Case&)>& change) {
  expect_named(name, [](Case&) {}, change);
}

TEST(FitIdentityTest, EveryOptionThatMatters) {
  expect_named("isa", [](Case& c) { c.isa = "avx2_fma"; });
  expect_named("loss", [](Case& c) { c.options.objective.loss = Loss::hinge; });
  expect_named("solver", [](Case& c) { c.options.solver = Solver::sgd; });
  expect_named("preconditioner", [](Case& c) { c.options.preconditioner = Preconditioner::gram; });
  expect_named("standardise", [](Case& c) { c.options.standardise = true; });
  expect_named("l2", [](Case& c) { c.options.objective.l2 = 5e-324; });
  expect_named(
      "l2", [](Case& c) { c.options.objective.l2 = 0.1; },
      [](Case& c) { c.options.objective.l2 = std::nextafter(0.1, 1); });
  expect_named("label_smoothing", [](Case& c) { c.options.objective.label_smoothing = 0.1; });
  expect_named("ignored_label", [](Case& c) { c.options.objective.ignored_label = -2; });
  expect_named("epochs", [](Case& c) { c.options.mini_batches.epochs = 21; });
  expect_named("batch_size", [](Case& c) { c.options.mini_batches.batch_size = 127; });
  expect_named("learning_rate", [](Case& c) { c.options.mini_batches.learning_rate = 0.1; });
  expect_named("momentum", [](Case& c) { c.options.mini_batches.momentum = 0.8; });
  expect_named("second_moment_decay", [](Case& c) { c.options.mini_batches.second_moment_decay = 0.99; });
  expect_named("schedule", [](Case& c) { c.options.mini_batches.schedule = Schedule::step; });
  expect_named("seed", [](Case& c) { c.options.seed = ~std::uint64_t{0}; });
  expect_named("early_stopping", [](Case& c) { c.options.stopping.early_stopping = 3; });
  expect_named("initial weights", [](Case& c) { c.options.warm_start = true; });
  expect_named("initial weights", [](Case& c) { c.options.warm_start = true; }, [](Case& c) { c.start[5] = -0.25; });
  expect_named("checkpoint_note", [](Case& c) { c.options.checkpoint.note = "a"; });
  expect_named("checkpoint_note", [](Case& c) { c.options.checkpoint.note = "\xff\xfe"; });
  static const std::string note(1000, 'a'), other = note + "b";
  expect_named(
      "checkpoint_note", [](Case& c) { c.options.checkpoint.note = note; },
      [](Case& c) { c.options.checkpoint.note = other; });
}

TEST(FitIdentityTest, EveryPieceOfTheData) {
  const auto with_all = [](Case& c) {
    c.data.sample_weights = c.weights;
    c.data.selection = std::span(c.selection).first(3);
    c.data.scaling = {c.centre, c.factor};
  };
  const auto soft = [](Case& c) { c.soft = true; };
  expect_named("rows", with_all, [](Case& c) { c.data.selection = c.selection; });
  expect_named("features", [](Case& c) { c.data.features.features = 2; });
  expect_named("classes", [](Case& c) { c.classes = 3; });
  expect_named("feature type", [](Case& c) { c.data.features.type = FeatureType::u8; });
  expect_named("row selection", with_all, [](Case& c) { std::swap(c.selection[0], c.selection[1]); });
  expect_named("labels", [](Case& c) { c.labels[3] = 0; });
  expect_named("labels", [](Case& c) { c.soft = true; });
  expect_named("sample weights", with_all, [](Case& c) { c.weights[1] = 2.5F; });
  expect_named("sample weights", with_all, [](Case& c) { c.data.sample_weights = {}; });
  expect_named("target probabilities", soft, [](Case& c) { c.targets[7] = 0.25F; });
  for (const std::size_t i : {0U, 5U, 11U}) {
    expect_named("feature values", [i](Case& c) { c.x[i] = -0.0F; });
  }
  expect_named("feature values", [](Case& c) { c.x[3] = 1; });
  expect_named("scaling", with_all, [](Case& c) { c.centre[2] = 0; });
  expect_named("scaling", with_all, [](Case& c) { c.factor[0] = 0; });
  expect_named("scaling", with_all, [](Case& c) { c.data.scaling.centre = {}; });
}

TEST(FitIdentityTest, EveryPieceOfTheValidationBatch) {
  const auto with_all = [](Case& c) {
    c.options.validation = &c.validation;
    c.validation.sample_weights = c.weights;
    c.validation.selection = std::span(c.selection).first(3);
    c.validation.scaling = {c.centre, c.factor};
  };
  expect_named("validation rows", [](Case& c) { c.options.validation = &c.validation; });
  expect_named("validation rows", with_all, [](Case& c) { c.validation.selection = c.selection; });
  expect_named("validation feature type", with_all, [](Case& c) { c.validation.features.type = FeatureType::u8; });
  expect_named("validation selection", with_all, [](Case& c) { std::swap(c.selection[0], c.selection[1]); });
  const auto other_data = [&](Case& c) {  // the batch itself has nothing of what is changed
    with_all(c);
    c.data.selection = std::span(c.selection).first(0);
  };
  expect_named("validation labels", other_data, [](Case& c) { c.labels[1] = 0; });
  expect_named("validation weights", other_data, [](Case& c) { c.weights[1] = 7; });
  expect_named("validation values", other_data, [](Case& c) { c.x[5] = 7; });
  expect_named("validation scaling", other_data, [](Case& c) { c.centre[1] = 7; });
  const auto soft = [&](Case& c) {
    other_data(c);
    c.soft = true;
  };
  expect_named("validation probabilities", soft, [](Case& c) { c.targets[2] = 7; });
}

// The file's metadata is UTF-8 and not the place for long texts.
TEST(FitIdentityTest, NotesAreKeptWhereTheyCanBe) {
  const auto kept = [](const std::string& note) {
    Case c;
    c.options.checkpoint.note = note;
    return c.identity().back().second;
  };
  EXPECT_EQ(kept("dogs, cats"), "dogs, cats");
  EXPECT_EQ(kept("Kätzchen"), "Kätzchen");
  EXPECT_EQ(kept(""), "");
  EXPECT_TRUE(is_checksum(kept("\xff")));
  EXPECT_TRUE(is_checksum(kept(std::string(101, 'a'))));
}

TEST(FitIdentityTest, WhatDoesNotMatter) {
  Case before, after;
  for (Case* c : {&before, &after}) {
    c->data.sample_weights = c->weights;
    c->options.checkpoint.file = "somewhere";
  }
  const FitIdentity old = before.identity();
  FitOptions& o = after.options;
  o.stopping.max_iterations = 7;
  o.stopping.time_limit = 1;
  o.stopping.tolerance = 0.5;
  o.execution.threads = 3;
  o.checkpoint.file = "elsewhere";
  o.checkpoint.seconds = 5;
  o.progress = [](const FitProgress&, void*) noexcept { return true; };
  o.cancelled = [](void*) noexcept { return false; };
  // A row of weight 0 and one whose label is ignored.
  after.x[9] = after.x[6] = 5;
  EXPECT_EQ(after.identity(), old);
}

// What is left open is what it stands for: the rows have a weight of 6.
TEST(FitIdentityTest, UnsetOptionsAreTheirDefaults) {
  Case unset, set;
  unset.options.objective.l2.reset();
  set.options.objective.l2 = 1.0 / 6;
  set.options.mini_batches = {
      .epochs = 20, .batch_size = 128, .schedule = Schedule::cosine, .momentum = 0.9, .second_moment_decay = 0.999};
  EXPECT_EQ(unset.identity(), set.identity());
  unset.options.solver = Solver::automatic;
  set.options.solver = Solver::lbfgs;
  EXPECT_EQ(unset.identity(), set.identity());
}

TEST(FitIdentityTest, EveryNameLastsAndIsKnown) {
  Case c;
  c.options.validation = &c.validation;
  std::vector<std::string> names;
  for (const auto& [name, value] : c.identity()) {
    EXPECT_EQ(std::ranges::count(names, name), 0) << name;
    names.push_back(name);
    EXPECT_EQ(static_name_of(name), name);
    EXPECT_NE(static_cast<const void*>(static_name_of(name)), name.data());
    EXPECT_FALSE(value.empty() && name != "checkpoint_note") << name;
  }
  EXPECT_STREQ(static_name_of("nonsense"), "fit");
}

}  // namespace
}  // namespace lanemax::test
