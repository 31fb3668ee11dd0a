/**
 * How many drives streams need at least, of which each allows so many on its drive, itself included.
 * A drive has as many as the strictest of them allows. So the strictest ones share one: whoever is
 * put beside them instead loses more.
 */
export function drivesFor(allowed: readonly number[]): number {
  let drives = 0;
  let room = 0;
  for (const most of [...allowed].sort((a, b) => a - b)) {
    if (room === 0) {
      drives += 1;
      room = most;
    }
    room -= 1;
  }
  return drives;
}
