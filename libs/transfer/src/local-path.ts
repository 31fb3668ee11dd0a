/**
 * What a data port of this host is called, as a path of `node:net`: a socket of the kernel's abstract namespace (unix(7)).
 * It is no file, so nothing is left behind by a crash; it is seen within a network namespace, as loopback is, and by
 * whoever may connect to loopback. It is cheaper than TCP, most of all beside other work (docs/performance.md).
 */
export function localPath(name: string): string {
  return `\0${name}`;
}
