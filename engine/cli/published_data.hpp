// SPDX-License-Identifier: BSD-3-Clause
#ifndef LANEMAX_ENGINE_CLI_PUBLISHED_DATA_HPP
#define LANEMAX_ENGINE_CLI_PUBLISHED_DATA_HPP

namespace lanemax::cli {

// Data of published fits that is a handful of numbers. What was found in them is in published_values.cpp, apart from
// this on purpose: no expected value reaches the code that computes.

/// Contraceptive choice, El Salvador 1985: couples by age group and choice (sterilised, other method, none).
/// G. Rodriguez, Princeton WWS 509. Age is 12.5 + 5 times the group, counted from 1.
inline constexpr int kElSalvador[7][3] = {{3, 61, 232},   {80, 137, 400}, {216, 131, 301}, {268, 76, 203},
                                          {197, 50, 188}, {150, 24, 164}, {91, 10, 183}};

/// Effect of the Personalised System of Instruction on grades: GPA, TUCE, PSI, GRADE. Spector and Mazzeo 1980.
struct SpectorRow {
  float gpa;  // Stata stores it so
  int tuce, psi, grade;
};
inline constexpr SpectorRow kSpector[32] = {
    {2.66f, 20, 0, 0}, {2.89f, 22, 0, 0}, {3.28f, 24, 0, 0}, {2.92f, 12, 0, 0}, {4.0f, 21, 0, 1},  {2.86f, 17, 0, 0},
    {2.76f, 17, 0, 0}, {2.87f, 21, 0, 0}, {3.03f, 25, 0, 0}, {3.92f, 29, 0, 1}, {2.63f, 20, 0, 0}, {3.32f, 23, 0, 0},
    {3.57f, 23, 0, 0}, {3.26f, 25, 0, 1}, {3.53f, 26, 0, 0}, {2.74f, 19, 0, 0}, {2.75f, 25, 0, 0}, {2.83f, 19, 0, 0},
    {3.12f, 23, 1, 0}, {3.16f, 25, 1, 1}, {2.06f, 22, 1, 0}, {3.62f, 28, 1, 1}, {2.89f, 14, 1, 0}, {3.51f, 26, 1, 0},
    {3.54f, 24, 1, 1}, {2.83f, 27, 1, 1}, {3.39f, 17, 1, 1}, {2.67f, 24, 1, 0}, {3.65f, 21, 1, 1}, {4.0f, 23, 1, 1},
    {3.1f, 21, 1, 0},  {2.39f, 19, 1, 1}};

/// The three rows of scores of a comparison of losses in a course on linear classification; class 0 is the true one.
inline constexpr double kScores[3][3] = {{10, -2, 3}, {10, 9, 9}, {10, -100, -100}};

}  // namespace lanemax::cli

#endif
