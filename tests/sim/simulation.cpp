// Seeded simulations: random commands, crashes, clock jumps, compactions and imports against the
// checks of world.h.
//
//   simulation [--seed N] [--events N] [--moves N]
//
// Without --seed, seeds 1, 2, 3 … are run until so many events have happened (default 1,200,000).
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "world.h"

using holdfast::simulation::Failure;
using holdfast::simulation::World;

namespace {

constexpr std::uint64_t kMovesPerSeed = 2000;

struct Options {
  std::uint64_t seed = 0, events = 1'200'000, moves = kMovesPerSeed;
};

Options parse(int count, char** words) {
  Options options;
  for (int i = 1; i + 1 < count; i += 2) {
    const std::uint64_t value = std::strtoull(words[i + 1], nullptr, 10);
    if (std::strcmp(words[i], "--seed") == 0) options.seed = value;
    if (std::strcmp(words[i], "--events") == 0) options.events = value;
    if (std::strcmp(words[i], "--moves") == 0) options.moves = value;
  }
  return options;
}

using Totals = std::map<std::string, std::uint64_t>;

// False on a failure, which is told with what repeats it.
bool run(std::uint64_t seed, std::uint64_t moves, Totals& totals) {
  World world(seed);
  try {
    while (world.moves() < moves) world.move();
  } catch (const Failure& failure) {
    std::printf("FAILED: %s\n  seed %llu, step %llu\n  repeat: npm run test:sim -- --seed %llu --moves %llu\n",
                failure.what(), static_cast<unsigned long long>(seed),
                static_cast<unsigned long long>(world.moves()), static_cast<unsigned long long>(seed),
                static_cast<unsigned long long>(world.moves()));
    return false;
  }
  totals["events"] += world.events();
  totals["moves"] += world.moves();
  for (const auto& [name, count] : world.counts()) totals[name] += count;
  for (const auto& [kind, count] : world.kinds()) totals["event " + std::to_string(kind)] += count;
  return true;
}

}  // namespace

int main(int count, char** words) {
  const Options options = parse(count, words);
  Totals totals;
  const auto begin = std::chrono::steady_clock::now();
  std::uint64_t seeds = 0;
  if (options.seed != 0) {
    seeds = 1;
    if (!run(options.seed, options.moves, totals)) return 1;
  } else {
    while (totals["events"] < options.events) {
      if (!run(++seeds, options.moves, totals)) return 1;
    }
  }
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begin;
  std::printf("%llu simulations held, %.1f s\n", static_cast<unsigned long long>(seeds), passed.count());
  for (const auto& [name, total] : totals) {
    std::printf("  %-12s %llu\n", name.c_str(), static_cast<unsigned long long>(total));
  }
  return 0;
}
