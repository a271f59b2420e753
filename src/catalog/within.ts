/** The promise's value, or `late` after so many milliseconds. The promise goes on; what it gives is there next time. */
export async function within<T, L>(promise: Promise<T>, milliseconds: number, late: L): Promise<T | L> {
  let timer: NodeJS.Timeout | undefined;
  const bell = new Promise<L>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, Math.min(milliseconds, 0x7fffffff)), late);
  });
  try {
    return await Promise.race([promise, bell]);
  } finally {
    clearTimeout(timer);
  }
}
