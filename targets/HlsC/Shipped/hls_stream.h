/* hls::stream for simulation: FIFOs of the depth that is written down, and
 * processes that run at the same time. What would hang in hardware hangs here,
 * is noticed, and is reported with the FIFOs' names; the program then ends with
 * code 3.
 *
 * A FIFO blocks its writer while it is full and its reader while it is empty.
 * When every process waits, none will ever go on: a deadlock. Elements that are
 * left over at the end are an error as well: hardware would start the next run
 * with them.
 */
#ifndef MEZZO_SIMULATION_HLS_STREAM_H
#define MEZZO_SIMULATION_HLS_STREAM_H

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace hls {
namespace simulation {

/* A process that cannot go on, and on what it waits. */
struct Waiting {
  std::string process, fifo;
  bool toRead;
  std::size_t depth;
  std::function<bool()> isReady;
};

/* One lock for all FIFOs, and the list of who waits. */
class Scheduler {
public:
  static Scheduler &get() {
    static Scheduler scheduler;
    return scheduler;
  }

  std::mutex lock;

  void enter() {
    std::lock_guard<std::mutex> guard(lock);
    ++running;
  }
  void leave() {
    std::lock_guard<std::mutex> guard(lock);
    --running;
    checkDeadlock();
  }

  /* Called with the lock held. */
  void wait(std::unique_lock<std::mutex> &guard, std::condition_variable &wake,
            Waiting who) {
    waiting.push_back(&who);
    checkDeadlock();
    wake.wait(guard, who.isReady);
    for (std::size_t i = 0; i < waiting.size(); ++i)
      if (waiting[i] == &who)
        waiting.erase(waiting.begin() + long(i));
  }

  static std::string &processName() {
    static thread_local std::string name = "main";
    return name;
  }

private:
  /* Who has been woken, but does not run yet, is ready. */
  void checkDeadlock() {
    if (running == 0 || waiting.size() < running)
      return;
    for (const Waiting *who : waiting)
      if (who->isReady())
        return;
    std::fprintf(stderr, "deadlock: no process can go on\n");
    for (const Waiting *who : waiting)
      std::fprintf(
          stderr, "  %s waits to %s FIFO '%s', which is %s (depth %zu)\n",
          who->process.c_str(), who->toRead ? "read" : "write",
          who->fifo.c_str(), who->toRead ? "empty" : "full", who->depth);
    std::fflush(stderr);
    std::_Exit(3);
  }

  std::size_t running = 0;
  std::vector<Waiting *> waiting;
};

/* Processes of one region; the region ends when all have ended. */
class Dataflow {
public:
  /* While the main program starts processes, those that wait are not alone. */
  Dataflow() : inProcess(Scheduler::processName() != "main") {
    if (!inProcess)
      Scheduler::get().enter();
  }
  Dataflow(const Dataflow &) = delete;
  Dataflow &operator=(const Dataflow &) = delete;

  template <typename Body>
  void start(const char *call, Body body) {
    std::string name(call);
    name = name.substr(0, name.find('('));
    Scheduler::get().enter();
    threads.emplace_back([name, body] {
      Scheduler::processName() = name;
      body();
      Scheduler::get().leave();
    });
  }

  /* A process that waits for its region is none that could go on. */
  ~Dataflow() {
    Scheduler::get().leave();
    for (std::thread &thread : threads)
      thread.join();
    if (inProcess)
      Scheduler::get().enter();
  }

private:
  bool inProcess;
  std::vector<std::thread> threads;
};

} // namespace simulation

template <typename T, int DEPTH = 0>
class stream;

/* What functions take: a FIFO of any depth. */
template <typename T>
class stream<T, 0> {
public:
  stream(const stream &) = delete;
  stream &operator=(const stream &) = delete;

  ~stream() {
    if (elements.empty())
      return;
    std::fprintf(stderr, "FIFO '%s' still holds %zu elements at the end\n",
                 name.c_str(), elements.size());
    std::fflush(stderr);
    std::_Exit(3);
  }

  T read() {
    std::unique_lock<std::mutex> guard(scheduler().lock);
    auto ready = [this] { return !elements.empty(); };
    if (!ready())
      wait(guard, notEmpty, true, ready);
    T value = elements.front();
    elements.pop_front();
    notFull.notify_one();
    return value;
  }

  void write(const T &value) {
    std::unique_lock<std::mutex> guard(scheduler().lock);
    auto ready = [this] { return elements.size() < depth; };
    if (!ready())
      wait(guard, notFull, false, ready);
    elements.push_back(value);
    notEmpty.notify_one();
  }

protected:
  stream(const char *name, std::size_t depth) : name(name), depth(depth) {}

private:
  static simulation::Scheduler &scheduler() {
    return simulation::Scheduler::get();
  }
  void wait(std::unique_lock<std::mutex> &guard, std::condition_variable &wake,
            bool toRead, std::function<bool()> ready) {
    scheduler().wait(
        guard, wake,
        {simulation::Scheduler::processName(), name, toRead, depth, ready});
  }

  std::string name;
  std::size_t depth;
  std::deque<T> elements;
  std::condition_variable notEmpty, notFull;
};

template <typename T, int DEPTH>
class stream : public stream<T, 0> {
public:
  explicit stream(const char *name) : stream<T, 0>(name, std::size_t(DEPTH)) {}
};

} // namespace hls

#endif
