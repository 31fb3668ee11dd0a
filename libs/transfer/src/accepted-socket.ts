import { Socket, type OnReadOpts, type SocketConstructorOpts } from 'node:net';

/** What a socket of Node reads and writes by. Node's own cluster hands it from one to another so; it has no public name. */
interface WithHandle {
  _handle: object | null;
}

/**
 * An accepted connection as a socket that reads into memory that `onread` gives, which Node offers only to those who
 * open a connection. Call it in the very event in which the socket was accepted; that one is of no use afterwards.
 * One that has no such handle, or encrypts, is given back as it is: it emits chunks.
 */
export function readingInto(accepted: Socket, onread: OnReadOpts): Socket {
  const holder = accepted as unknown as WithHandle;
  const handle = holder._handle;
  if ('encrypted' in accepted || !handle || !('useUserBuffer' in handle)) return accepted;
  holder._handle = null;
  // So that its server does not wait for the end of a socket that has no connection any more.
  accepted.destroy();
  return new Socket({ handle, onread, readable: true, writable: true } as SocketConstructorOpts);
}
