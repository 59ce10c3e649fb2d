/* `jimbot` without a shell: the interpreter of the store, through its own dynamic loader. */
#include <stdlib.h>
#include <unistd.h>

int main(int count, char **given) {
  static char *fixed[] = {PYTHON "/lib/ld.so", "--library-path", PYTHON "/lib", "--argv0",
                          PYTHON "/bin/python3.11", PYTHON "/bin/python3.11", "-P", "-m", "jimbot"};
  int known = sizeof fixed / sizeof *fixed;
  char **all = calloc(known + count, sizeof *all);
  if (!all) return 1;
  for (int i = 0; i < known; i++) all[i] = fixed[i];
  for (int i = 1; i < count; i++) all[known + i - 1] = given[i];
  setenv("PYTHONHOME", PYTHON, 1);
  setenv("PYTHONPATH", PACKAGES, 1);
  setenv("PYTHONDONTWRITEBYTECODE", "1", 1);
  execv(fixed[0], all);
  return 127;
}
