/** What becomes of a job whose allocation somebody has released. */
export function releaseNote({ job, attempt }: { job: number; attempt: number }): string {
  return (
    `It belonged to job ${job}, attempt ${attempt}. If that still runs, it goes on, beside the job that ` +
    'gets its place, and asks for a place again before its lease would have ended. Should it be gone, ' +
    'nothing is to be done: a later attempt has a higher number, and what the old one still ' +
    `writes is fenced off. To end the job: holdfast jobs cancel ${job}.`
  );
}
