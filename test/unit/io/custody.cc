// What is put back, how often, and what is told of it: on a clock of the test's own, with objects that are none.
#include "host/custody.h"

#include <doctest/doctest.h>

namespace uvs::test {
namespace {

struct Bench {
  std::vector<std::string> told;
  int put_back = 0;
  Status outcome;
  bool is_in_place = false;
  Custody custody;

  // False: it is left as it is.
  bool look(Micros now, const std::string& object = "uvs0") {
    const auto outcomes = custody.look({{object, "is down", [this]() -> Result<bool> {
                                           put_back++;
                                           if (!outcome.ok()) return outcome;
                                           return !is_in_place;
                                         }}},
                                       now);
    REQUIRE(outcomes.size() == 1);
    if (outcomes[0].is_new) told.push_back(outcomes[0].text);
    return outcomes[0].state != CustodyOutcome::State::kLeft;
  }
};

TEST_CASE("what deviates is put back, counted and told each time") {
  Bench bench;
  CHECK(bench.custody.look({}, 0).empty());
  CHECK(bench.look(1));
  CHECK(bench.look(2));
  CHECK(bench.put_back == 2);
  CHECK(bench.custody.report().put_back == 2);
  CHECK(bench.custody.report().deviations.empty());
  REQUIRE(bench.told.size() == 2);
  CHECK(bench.told[0] == "uvs0 is down: somebody else changed it; it is put back");
}

TEST_CASE("somebody who insists wins for a minute, is told of once, and costs no other object its share") {
  Bench bench;
  for (uint32_t i = 0; i < Custody::kPutBacks; i++) CHECK(bench.look(i));
  bench.told.clear();
  for (Micros i = 0; i < 100; i++) CHECK_FALSE(bench.look(100 + i));
  CHECK(bench.put_back == static_cast<int>(Custody::kPutBacks));
  CHECK(bench.told.size() == 1);
  CHECK(bench.custody.report().deviations == bench.told);
  CHECK(bench.look(300, "uvs1"));
  CHECK(bench.look(Custody::kPeriod));
  CHECK(bench.custody.report().deviations.empty());
}

TEST_CASE("what turns out to be in its place is neither told nor counted, and costs nothing of its share") {
  Bench bench;
  bench.is_in_place = true;
  for (Micros i = 1; i < 100; i++) CHECK(bench.look(i));
  CHECK(bench.put_back == 99);
  CHECK(bench.told.empty());
  CHECK(bench.custody.report().put_back == 0);
}

TEST_CASE("what can't be put back is told once for each reason, and tried again by and by") {
  constexpr Micros kLater = Custody::kRetryPause;
  Bench bench;
  bench.outcome = {ErrorCode::kIo, "no"};
  CHECK_FALSE(bench.look(1));
  CHECK_FALSE(bench.look(2));
  CHECK(bench.put_back == 1);
  CHECK_FALSE(bench.look(1 + kLater));
  CHECK(bench.put_back == 2);
  CHECK(bench.told == std::vector<std::string>{"uvs0 is down: it can't be put back: no"});
  CHECK(bench.custody.report().put_back == 0);
  bench.outcome = {};
  CHECK(bench.look(1 + 2 * kLater));
  CHECK(bench.custody.report().put_back == 1);
  bench.outcome = {ErrorCode::kIo, "no"};
  CHECK_FALSE(bench.look(2 + 2 * kLater));
  CHECK(bench.told.size() == 3);
}

}  // namespace
}  // namespace uvs::test
