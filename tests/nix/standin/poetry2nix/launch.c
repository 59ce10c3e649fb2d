/* The interpreter of the store through its own dynamic loader, without a shell: as `python3.11`, or,
   with PACKAGES, as `jimbot`. */
#include <stdlib.h>
#include <unistd.h>

int main(int count, char **given) {
  static char *fixed[] = {PYTHON "/lib/ld.so",        "--library-path",
                          PYTHON "/lib",              "--argv0",
                          PYTHON "/bin/python3.11",   PYTHON "/libexec/python3.11",
#ifdef PACKAGES
                          "-P",                       "-m",
                          "jimbot",
#endif
  };
  int known = sizeof fixed / sizeof *fixed;
  char **all = calloc(known + count, sizeof *all);
  if (!all) return 1;
  for (int i = 0; i < known; i++) all[i] = fixed[i];
  for (int i = 1; i < count; i++) all[known + i - 1] = given[i];
  setenv("PYTHONHOME", PYTHON, 1);
#ifdef PACKAGES
  setenv("PYTHONPATH", PACKAGES, 1);
  setenv("PYTHONDONTWRITEBYTECODE", "1", 1);
#endif
  execv(fixed[0], all);
  return 127;
}
