/** The places at which a test may have the process die, named after what has just happened. */
export type CrashPointName =
  | 'intent-journalled'
  | 'frame-written'
  | 'medium-written'
  | 'medium-marked'
  | 'position-journalled'
  | 'fragment-sealed'
  | 'seal-journalled'
  | 'commit-published'
  | 'receipt-arrived'
  | 'verdict-journalled'
  | 'duplicate-copied'
  | 'condemned-journalled'
  | 'trash-moved'
  | 'removal-journalled'
  | 'removal-reported';

/** Called at each of these places; does nothing in real life. */
export type CrashPoint = (name: CrashPointName) => void;

export const noCrash: CrashPoint = () => undefined;

/** A crash point that kills this process, without any last words, when it comes to `name`. */
export function crashAt(name: string | undefined): CrashPoint {
  if (!name) return noCrash;
  return (reached) => {
    if (reached === name) process.kill(process.pid, 'SIGKILL');
  };
}
