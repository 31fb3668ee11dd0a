const two = (number: number): string => String(number).padStart(2, '0');

/** `2026-01-31 18:00:05` in local time; `-` for no time. A time that no calendar has stays as it is. */
export function formatTime(time: string | null): string {
  if (time === null) return '-';
  const at = new Date(time);
  if (Number.isNaN(at.getTime())) return time;
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${formatClock(at)}`;
}

/** When an image expires; `never` where it does not by itself. */
export function expiryText(time: string | null): string {
  return time === null ? 'never' : formatTime(time);
}

/** `18:00:05` in local time. */
export function formatClock(at: Date): string {
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/** `0.4s`, `12s`, `3m04s`, `2h05m`, `3d07h`. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, ms) / 1_000;
  if (seconds < 9.95) return `${seconds.toFixed(1)}s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole}s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}m${two(whole % 60)}s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours}h${two(minutes % 60)}m`;
  return `${Math.floor(hours / 24)}d${two(hours % 24)}h`;
}

/** Between two instants; to `now` where the end is not known; `-` where it has not begun. */
export function formatElapsed(from: string | null, to: string | null, now: Date): string {
  if (from === null) return '-';
  const end = to === null ? now.getTime() : Date.parse(to);
  return formatDuration(end - Date.parse(from));
}
