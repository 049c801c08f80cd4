//===- Child.cpp - a child process that answers line by line --------------===//

#include "tools/driver/Child.h"

#include "llvm/ADT/Twine.h"
#include "llvm/Support/Errno.h"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace mezzo;

llvm::Expected<Child> Child::start(llvm::ArrayRef<std::string> arguments,
                                   int keep) {
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0)
    return llvm::createStringError("cannot start a child process: " +
                                   llvm::sys::StrError(errno));
  // Between fork and exec only what is safe in a process of many threads.
  std::vector<char *> argv{const_cast<char *>("mezzo")};
  for (const std::string &argument : arguments)
    argv.push_back(const_cast<char *>(argument.c_str()));
  argv.push_back(nullptr);
  int process = fork();
  if (process == 0) {
    int nothing = open("/dev/null", O_WRONLY);
    dup2(sockets[1], STDIN_FILENO);
    dup2(sockets[1], STDOUT_FILENO);
    if (nothing >= 0)
      dup2(nothing, STDERR_FILENO);
    if (keep >= 0)
      fcntl(keep, F_SETFD, 0);
    execv("/proc/self/exe", argv.data());
    _exit(127);
  }
  int error = errno;
  close(sockets[1]);
  if (process < 0) {
    close(sockets[0]);
    return llvm::createStringError("cannot start a child process: " +
                                   llvm::sys::StrError(error));
  }
  return Child(process, sockets[0]);
}

Child::Child(Child &&other)
    : process(std::exchange(other.process, -1)),
      socket(std::exchange(other.socket, -1)), buffer(std::move(other.buffer)),
      end(std::move(other.end)) {}

Child &Child::operator=(Child &&other) {
  std::swap(process, other.process);
  std::swap(socket, other.socket);
  std::swap(buffer, other.buffer);
  std::swap(end, other.end);
  return *this;
}

Child::~Child() {
  if (process > 0)
    finish(/*tooSlow=*/true);
}

/// Waits for the child, which has closed its end or is killed now.
void Child::finish(bool tooSlow) {
  if (tooSlow)
    kill(process, SIGKILL);
  int status = 0;
  while (waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  if (tooSlow)
    end = "it did not answer in time";
  else if (WIFSIGNALED(status))
    end = std::string("it crashed (") + strsignal(WTERMSIG(status)) + ")";
  else
    end = "it ended with exit code " + std::to_string(WEXITSTATUS(status));
  close(socket);
  process = socket = -1;
}

std::optional<std::string> Child::ask(llvm::StringRef line, double seconds) {
  if (process < 0)
    return std::nullopt;
  std::string text = line.str() + "\n";
  // No SIGPIPE where the child is gone: the read below finds out.
  (void)!send(socket, text.data(), text.size(), MSG_NOSIGNAL);
  auto deadline =
      std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (true) {
    if (size_t at = buffer.find('\n'); at != std::string::npos) {
      std::string answer = buffer.substr(0, at);
      buffer.erase(0, at + 1);
      return answer;
    }
    double left = std::chrono::duration<double>(
                      deadline - std::chrono::steady_clock::now())
                      .count();
    pollfd ready{socket, POLLIN, 0};
    int count = left > 0 ? poll(&ready, 1, int(1000 * left) + 1) : 0;
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0) {
      finish(/*tooSlow=*/true);
      return std::nullopt;
    }
    char bytes[4096];
    ssize_t got = recv(socket, bytes, sizeof bytes, 0);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0) {
      finish(/*tooSlow=*/false);
      return std::nullopt;
    }
    buffer.append(bytes, got);
  }
}
