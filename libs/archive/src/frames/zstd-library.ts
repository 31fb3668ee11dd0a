/** Zstandard (RFC 8878), on threads of libuv's pool. Neither looks at what it is given once it has ended. */
export interface Zstd {
  /** One frame, in memory that is the caller's alone. */
  compress(data: Buffer, level: number): Promise<Buffer>;
  /** What whole frames come to: in `into`, which has room for all of it, else in memory that is the caller's alone. */
  decompress(frames: Buffer, into?: Buffer): Promise<Buffer>;
}
