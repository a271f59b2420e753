/** Loaded into a process that is measured for memory: SIGUSR2 collects what is garbage (needs --expose-gc). */
process.on('SIGUSR2', () => globalThis.gc?.());
