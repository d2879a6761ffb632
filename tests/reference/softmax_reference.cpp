// SPDX-License-Identifier: BSD-3-Clause
#include "tests/reference/softmax_reference.hpp"

#include <algorithm>
#include <cmath>

namespace lanemax::reference {
namespace {

// Covers the products of errors that the first-order bounds leave out.
constexpr Real kSecondOrder = 1.02L;

/// Whether x is a number of the arithmetic (its range aside), so that computing it exactly costs no rounding.
bool representable(Real x, const Arithmetic& a) {
  int exponent = 0;
  const Real scaled = std::frexp(x, &exponent) / a.u;
  return scaled == std::rint(scaled);
}
Real rounding(Real x, const Arithmetic& a) {
  return representable(x, a) ? 0 : a.u * std::fabs(x);
}

/// Below this a probability may be flushed to 0: exp() is cut a factor of about 15 C above the smallest normal number.
Real flush(std::size_t classes, const Arithmetic& a) {
  return 32 * static_cast<Real>(classes) * a.min_normal;
}
/// Roundings on the way of one class to the sum over classes: one after the other, or sixteen sums joined in the end.
Real depth(std::size_t classes) {
  const auto c = static_cast<Real>(classes);
  return classes < 16 ? c : c / 16 + 16;
}

/// 0 where v, or v times the factor, is below the smallest normal number. Next to there it may or may not be.
Estimate zero_if_tiny(const Estimate& v, Real factor, const Arithmetic& a) {
  const Real least = a.min_normal / std::min(factor, 1.0L), size = std::fabs(v.value);
  const Real doubt = v.bound + 8 * a.u * least;
  if (size + doubt < least) return {0, 0};
  if (size - doubt >= least) return v;
  return {v.value, std::max(v.bound, size)};
}

// Targets of a softmax row, with the error of each.
struct Targets {
  std::vector<Estimate> t;
  Estimate total;         // tau
  Real linear_depth = 1;  // roundings per term of sum t (m - z)
  bool plain_label = false;
};

Targets targets_of(const std::vector<Estimate>& z, const RowTarget& target, const Arithmetic& a) {
  const std::size_t classes = z.size();
  Targets out;
  out.t.resize(classes);
  if (target.probabilities != nullptr) {
    for (std::size_t c = 0; c < classes; ++c) {
      out.t[c].value = target.probabilities[c];
      out.total.value += out.t[c].value;
    }
    out.total.bound = depth(classes) * a.u * out.total.value;
    out.linear_depth = depth(classes) + 2;
    return out;
  }
  out.total.value = 1;
  const auto label = static_cast<std::size_t>(target.label);
  if (target.smoothing == 0) {
    out.t[label].value = 1;
    out.plain_label = true;
    return out;
  }
  const auto unmasked = std::count_if(z.begin(), z.end(), [](const Estimate& e) { return std::isfinite(e.value); });
  const Real cold = static_cast<Real>(target.smoothing) / static_cast<Real>(unmasked);
  const Real hot = 1 - static_cast<Real>(target.smoothing);
  for (std::size_t c = 0; c < classes; ++c) {
    if (std::isfinite(z[c].value)) out.t[c] = {cold, 2 * a.u * cold};
  }
  out.t[label].value += hot;
  out.t[label].bound += 2 * a.u * (hot + cold);
  out.linear_depth = depth(classes) + 6;
  return out;
}

}  // namespace

void ProductSum::add(const Estimate& a, const Estimate& b) {
  sum_ += a.value * b.value;
  magnitude_ += std::fabs(a.value * b.value);
  inherited_ += std::fabs(a.value) * b.bound + a.bound * std::fabs(b.value) + a.bound * b.bound;
  ++terms_;
}

Estimate ProductSum::sum(const Arithmetic& a) const {
  if (std::isinf(sum_)) return {sum_, 0};
  const auto n = static_cast<Real>(terms_);
  const Real underflow = n * a.min_normal * a.u * 2;
  return {sum_, kSecondOrder * ((n + 2) * a.u * (magnitude_ + inherited_) + inherited_ + underflow)};
}

RowLoss softmax_row(const std::vector<Estimate>& z, const RowTarget& target, const Arithmetic& a) {
  const std::size_t classes = z.size();
  const Targets targets = targets_of(z, target, a);
  const Real tau = targets.total.value;
  const Real lost = flush(classes, a);

  Real max = -std::numeric_limits<Real>::infinity(), doubt = 0;
  for (const Estimate& score : z) {
    max = std::max(max, score.value);
    doubt = std::max(doubt, score.bound);
  }
  // r with its error: that of each exp() (its argument's rounding and 1 ulp), and of the sum.
  std::vector<Real> e(classes), e_relative(classes);
  Real r = 0, r_error = static_cast<Real>(classes) * lost;
  bool left_out = false;
  for (std::size_t c = 0; c < classes; ++c) {
    const Real distance = max - z[c].value;
    e[c] = std::exp(-distance);
    if (distance == 0) {
      if (left_out) r += 1;
      left_out = true;
    } else if (e[c] > 0) {
      e_relative[c] = rounding(distance, a) + 2 * a.u;
      r += e[c];
      r_error += e[c] * e_relative[c];
    }
  }
  r_error += depth(classes) * a.u * r;
  const Real s = 1 + r;

  // What errors of the logits do: dp_c = p_c ((1 - p_c) dz_c - sum of p_j dz_j over the others).
  const Real growth = std::exp(2 * doubt);
  Real mean_doubt = 0;
  for (std::size_t c = 0; c < classes; ++c) mean_doubt += e[c] / s * z[c].bound;

  RowLoss row;
  row.probabilities.resize(classes);
  row.dlogits.resize(classes);
  Real linear = 0, inherited = 0;
  for (std::size_t c = 0; c < classes; ++c) {
    const Real p = e[c] / s;
    const Real p_inherited = growth * p * ((1 - p) * z[c].bound + (mean_doubt - p * z[c].bound));
    const Real p_error = p * (e_relative[c] + r_error / s + 3 * a.u) + lost + p_inherited;
    row.probabilities[c] = {p, kSecondOrder * p_error};

    const Estimate& t = targets.t[c];
    if (t.value != 0) linear += t.value * (max - z[c].value);
    inherited += (t.value + tau * p * growth) * z[c].bound;

    Real dz = tau * p - t.value;
    Real error = 0;
    if (targets.plain_label && t.value == 0) {
      error = p_error;
    } else if (targets.plain_label && z[c].value == max) {
      dz = -r / s;  // keeps its digits where p is next to 1
      error =
          r_error / (s * s) + (r / s) * (3 * a.u + r_error / s) + p_inherited + (doubt > 0 && r > 0.25L ? p_error : 0);
    } else if (targets.plain_label) {
      error = p_error + a.u * std::fabs(dz);
    } else if (target.probabilities != nullptr) {
      error = tau * p_error + targets.total.bound * p + a.u * tau * p + a.u * std::fabs(dz);
    } else {
      error = p_error + t.bound + 4 * a.u * (p + t.value);
    }
    const auto weight = static_cast<Real>(target.weight);
    row.dlogits[c] = {weight * dz,
                      kSecondOrder * (weight * error + a.u * weight * std::fabs(dz)) + a.min_normal * a.u * 2};
  }

  const Real entropy = std::log1p(r);
  const Real entropy_error = r_error / s + 2 * a.u * entropy;
  const Real loss = tau * entropy + linear;
  if (!std::isfinite(loss)) {
    row.loss = {loss, 0};
    return row;
  }
  const Real error = tau * entropy_error + targets.total.bound * entropy +
                     (target.probabilities != nullptr ? a.u * tau * entropy : 0) + targets.linear_depth * a.u * linear +
                     a.u * loss + inherited;
  row.loss = {loss, kSecondOrder * error + a.min_normal * a.u * 2};
  return row;
}

RowLoss hinge_row(const std::vector<Estimate>& z, const RowTarget& target, const Arithmetic& a) {
  const std::size_t classes = z.size();
  const auto y = static_cast<std::size_t>(target.label);
  const auto weight = static_cast<Real>(target.weight);
  RowLoss row;
  row.dlogits.resize(classes);
  Real loss = 0, error = 0, active = 0, undecided = 0;
  for (std::size_t j = 0; j < classes; ++j) {
    if (j == y) continue;
    const Real difference = z[j].value - z[y].value;
    const Real margin = difference + 1;
    if (std::isinf(margin)) continue;  // a masked class
    const Real margin_error = kSecondOrder * (rounding(difference, a) + z[j].bound + z[y].bound) + rounding(margin, a);
    if (margin > 0) {
      loss += margin;
      active += 1;
      row.dlogits[j].value = weight;
    }
    if (margin > -margin_error) error += margin_error;
    if (std::fabs(margin) <= margin_error && margin_error > 0) {
      undecided += 1;
      row.dlogits[j].bound = weight;
    }
  }
  row.dlogits[y] = {-weight * active, kSecondOrder * weight * undecided + rounding(weight * active, a)};
  row.loss = {loss, kSecondOrder * (error + static_cast<Real>(classes) * a.u * loss)};
  return row;
}

RowLoss logistic_row(const std::vector<Estimate>& z, const RowTarget& target, const Arithmetic& a) {
  const Real score = z[0].value, doubt = z[0].bound;
  const auto weight = static_cast<Real>(target.weight);
  const Real t = target.probabilities != nullptr ? static_cast<Real>(target.probabilities[0]) : target.label;
  const Real e = std::exp(-std::fabs(score));
  const Real lost = flush(2, a);
  const Real small = e / (1 + e), large = 1 / (1 + e);  // probabilities of the less and the more likely class

  // max(z, 0) - t z
  const Real factor = score >= 0 ? 1 - t : -t;
  const Real linear = factor == 0 ? 0 : score * factor;
  const Real factor_error = score >= 0 ? rounding(1 - t, a) : 0;
  RowLoss row;
  const Real entropy = std::log1p(e);
  const Real loss = linear + entropy;
  const Real growth = std::exp(2 * doubt);
  if (std::isinf(score)) {  // masked: an answer without doubt, right or infinitely wrong
    row.loss = {loss, 0};
  } else {
    const Real error = (2 * a.u * e + lost) / (1 + e) + 2 * a.u * entropy + factor_error * std::fabs(score) +
                       a.u * std::fabs(linear) + a.u * loss + (std::fabs(factor) + small * growth) * doubt;
    row.loss = {loss, kSecondOrder * error + a.min_normal * a.u * 2};
  }

  const Real p_inherited = growth * small * large * doubt;
  const Real small_error = small * (2 * a.u + 2 * a.u * e + 3 * a.u) + lost + p_inherited;
  const Real large_error = large * (2 * a.u * small + 3 * a.u) + p_inherited;
  row.probabilities = {score < 0 ? Estimate{small, kSecondOrder * small_error}
                                 : Estimate{large, kSecondOrder * large_error}};
  const Real dz = score < 0 ? small - t : (1 - t) - small;
  const Real error = small_error + (score >= 0 ? rounding(1 - t, a) : 0) + 2 * a.u * std::fabs(dz);
  row.dlogits = {{weight * dz, weight * kSecondOrder * error + a.min_normal * a.u * 2}};
  return row;
}

std::vector<Estimate> logits(const Problem& problem, const Arithmetic& a) {
  std::vector<Estimate> z(problem.rows * problem.classes);
  for (std::size_t n = 0; n < problem.rows; ++n) {
    for (std::size_t c = 0; c < problem.classes; ++c) {
      ProductSum sum;
      for (std::size_t d = 0; d < problem.features; ++d) {
        sum.add(problem.x[n * problem.features + d], problem.w[c * problem.features + d]);
      }
      if (!problem.b.empty()) sum.add(problem.b[c], 1);
      z[n * problem.classes + c] = sum.sum(a);
    }
  }
  return z;
}

Solution solve(const Problem& problem, const Arithmetic& a) {
  const std::size_t classes = problem.classes, features = problem.features;
  Solution out;
  out.logits = logits(problem, a);
  out.sample_losses.resize(problem.rows);
  out.probabilities.resize(problem.rows * classes);
  out.dlogits.resize(problem.rows * classes);

  Real loss = 0, loss_error = 0;
  std::vector<char> keeps(problem.rows);
  for (std::size_t n = 0; n < problem.rows; ++n) {
    RowTarget target;
    target.weight = problem.sample_weights.empty() ? 1 : problem.sample_weights[n];
    target.smoothing = problem.smoothing;
    if (problem.targets.empty()) {
      target.label = problem.labels[n];
    } else {
      target.probabilities = problem.targets.data() + n * classes;
    }
    keeps[n] = target.weight > 0 && (!problem.targets.empty() || target.label != problem.ignored_label);
    if (keeps[n] == 0) continue;
    const auto first = out.logits.begin() + static_cast<std::ptrdiff_t>(n * classes);
    const std::vector<Estimate> z(first, first + static_cast<std::ptrdiff_t>(classes));
    const RowLoss row = problem.loss == Loss::softmax ? softmax_row(z, target, a)
                        : problem.loss == Loss::hinge ? hinge_row(z, target, a)
                                                      : logistic_row(z, target, a);
    ++out.kept;
    out.total_weight += target.weight;
    out.sample_losses[n] = row.loss;
    loss += target.weight * row.loss.value;
    loss_error += target.weight * row.loss.bound;
    for (std::size_t c = 0; c < classes; ++c) {
      out.dlogits[n * classes + c] = row.dlogits[c];
      if (!row.probabilities.empty()) out.probabilities[n * classes + c] = row.probabilities[c];
    }
  }
  const Real scale = problem.sum_reduction ? 1 : 1 / out.total_weight;
  const Real penalty = problem.l2 * (problem.sum_reduction ? out.total_weight : 1);
  const auto finish = [&](const ProductSum& sum, Real weight) -> Estimate {
    const Estimate s = sum.sum(a);
    const Estimate w = penalty > 0 ? zero_if_tiny({weight, 0}, penalty, a) : Estimate{};
    const Real value = scale * s.value + penalty * w.value;
    return {value, kSecondOrder * (scale * s.bound + penalty * w.bound +
                                   4 * a.u * (std::fabs(scale * s.value) + std::fabs(penalty * w.value)))};
  };

  out.dweights.resize(classes * features);
  out.dbias.resize(classes);
  Real square = 0;
  for (std::size_t c = 0; c < classes; ++c) {
    ProductSum bias;
    for (std::size_t n = 0; n < problem.rows; ++n) bias.add(out.dlogits[n * classes + c], {1, 0});
    out.dbias[c] = finish(bias, 0);
    for (std::size_t d = 0; d < features; ++d) {
      ProductSum sum;
      for (std::size_t n = 0; n < problem.rows; ++n) {
        if (keeps[n] != 0) sum.add(out.dlogits[n * classes + c], {problem.x[n * features + d], 0});
      }
      const Real w = problem.w[c * features + d];
      square += w * w;
      out.dweights[c * features + d] = finish(sum, w);
    }
  }
  out.dfeatures.resize(problem.rows * features);
  for (std::size_t n = 0; n < problem.rows; ++n) {
    if (keeps[n] == 0) continue;
    for (std::size_t d = 0; d < features; ++d) {
      ProductSum sum;
      for (std::size_t c = 0; c < classes; ++c) {
        sum.add(out.dlogits[n * classes + c], {problem.w[c * features + d], 0});
      }
      out.dfeatures[n * features + d] = finish(sum, 0);
    }
  }
  for (Estimate& g : out.dlogits) g = {scale * g.value, scale * g.bound + 2 * a.u * std::fabs(scale * g.value)};

  // Losses are summed in double whatever the pass computes in.
  const Real in_double = static_cast<Real>(out.kept + 4) * 0x1p-53L;
  out.data_loss = {scale * loss, scale * loss_error + in_double * std::fabs(scale * loss)};
  const Real penalty_loss = penalty / 2 * square;
  out.objective = {out.data_loss.value + penalty_loss,
                   out.data_loss.bound + static_cast<Real>(classes * features + 8) * 0x1p-53L * penalty_loss};
  return out;
}

Estimate descent_step(const Estimate& w, const Estimate& gradient, Real rate, const Arithmetic& a) {
  const Estimate direction = zero_if_tiny(gradient, rate, a);
  const Real move = rate * direction.value;
  const Real value = w.value - move;
  return {value, kSecondOrder * (w.bound + std::fabs(rate) * direction.bound + a.u * std::fabs(move) +
                                 a.u * std::fabs(value)) +
                     a.min_normal * a.u * 4};
}

MomentumStep momentum_step(const Estimate& w, const Estimate& velocity, const Estimate& gradient, Real rate,
                           Real momentum, bool nesterov, const Arithmetic& a) {
  const auto combine = [&](const Estimate& v) -> Estimate {
    const Real product = momentum * v.value, value = product + gradient.value;
    return {value, kSecondOrder * (std::fabs(momentum) * v.bound + gradient.bound + a.u * std::fabs(product) +
                                   a.u * std::fabs(value)) +
                       a.min_normal * a.u * 4};
  };
  MomentumStep step;
  step.velocity = zero_if_tiny(combine(velocity), 1, a);
  step.weight = descent_step(w, nesterov ? combine(step.velocity) : step.velocity, rate, a);
  return step;
}

Estimate adam_correction(Real decay, std::size_t steps, const Arithmetic& a) {
  const Real value = 1 / (1 - std::pow(decay, static_cast<Real>(steps)));
  return {value, (a.u + 8 * 0x1p-53L) * value};  // log, expm1 and a division in double
}

namespace {

constexpr Real kDivision = 4;  // NEON divides by Newton's steps

/// What the optimisers with squares take of a gradient.
Estimate cut_for_its_square(const Estimate& gradient, const Arithmetic& a) {
  const Real most = std::sqrt(a.max) / 2;
  return {std::clamp(gradient.value, -most, most), gradient.bound};
}
Estimate squared(const Estimate& g, const Arithmetic& a) {
  return {g.value * g.value, (2 * std::fabs(g.value) + g.bound) * g.bound + a.u * g.value * g.value};
}
/// above / (sqrt(square) + epsilon)
Estimate over_root(const Estimate& above, const Estimate& square, Real epsilon, const Arithmetic& a) {
  const Real root = std::sqrt(square.value), below = root + epsilon, quotient = above.value / below;
  const Real root_bound = root > 0 ? std::min(std::sqrt(square.bound), square.bound / root) : std::sqrt(square.bound);
  const Real below_bound = root_bound + a.u * (root + below + epsilon);
  const Real least = std::max(below - below_bound, epsilon * (1 - 4 * a.u));
  const Real error = (above.bound + std::fabs(quotient) * below_bound) / least + kDivision * a.u * std::fabs(quotient);
  return {quotient, kSecondOrder * error + a.min_normal * a.u * 4};
}

}  // namespace

AdamStep adam_step(const Estimate& w, const Estimate& mean, const Estimate& square, const Estimate& gradient,
                   const AdamRule& rule, const Arithmetic& a) {
  const Real tiny = a.min_normal * a.u * 4;
  const Estimate g = cut_for_its_square(gradient, a), square_of_g = squared(g, a);
  const Estimate g1 = zero_if_tiny(g, 1 - rule.mean_decay, a);
  const Estimate g2 = zero_if_tiny(square_of_g, 1 - rule.square_decay, a);
  const auto decayed = [&](const Estimate& old, const Estimate& add, Real decay) -> Estimate {
    const Real kept = decay * old.value, added = (1 - decay) * add.value, value = kept + added;
    return {value, kSecondOrder * (decay * old.bound + (1 - decay) * add.bound +
                                   a.u * (std::fabs(kept) + std::fabs(added) + std::fabs(value))) +
                       tiny};
  };
  const auto corrected = [&](const Estimate& moment, const Estimate& factor) -> Estimate {
    const Real value = factor.value * moment.value;
    return {value, kSecondOrder * (factor.value * moment.bound + factor.bound * std::fabs(moment.value) +
                                   a.u * std::fabs(value)) +
                       tiny};
  };
  AdamStep step;
  step.mean = zero_if_tiny(decayed(mean, g1, rule.mean_decay), 1, a);
  step.square = zero_if_tiny(decayed(square, g2, rule.square_decay), 1, a);
  const Estimate m = corrected(step.mean, rule.mean_correction), s = corrected(step.square, rule.square_correction);
  step.weight = descent_step(w, over_root(m, s, 1e-8L, a), rule.rate, a);
  return step;
}

AdagradStep adagrad_step(const Estimate& w, const Estimate& square, const Estimate& gradient, Real rate,
                         const Arithmetic& a) {
  const Estimate g = cut_for_its_square(gradient, a), added = zero_if_tiny(squared(g, a), 1, a);
  const Real value = square.value + added.value;
  AdagradStep step;
  step.square = {std::min(value, a.max / 4), square.bound + added.bound + a.u * value};
  step.weight = descent_step(w, over_root(g, step.square, 1e-10L, a), rate, a);
  return step;
}

}  // namespace lanemax::reference
