import type { Endpoint } from '#contracts/contract.js';

/** What `$SRV.STATS` says of one endpoint (ADR-32); times are nanoseconds. */
export class EndpointStats {
  private requests = 0;
  private errors = 0;
  private lastError = '';
  private nanoseconds = 0;

  constructor(
    readonly endpoint: Endpoint,
    readonly subject: string,
    readonly queueGroup: string,
  ) {}

  record(nanoseconds: number, error?: string): void {
    this.requests += 1;
    this.nanoseconds += nanoseconds;
    if (error !== undefined) {
      this.errors += 1;
      this.lastError = error;
    }
  }

  info() {
    return {
      name: this.endpoint.name,
      subject: this.subject,
      queue_group: this.queueGroup,
      metadata: { description: this.endpoint.description },
    };
  }

  stats() {
    return {
      name: this.endpoint.name,
      subject: this.subject,
      queue_group: this.queueGroup,
      num_requests: this.requests,
      num_errors: this.errors,
      last_error: this.lastError,
      processing_time: Math.round(this.nanoseconds),
      average_processing_time: this.requests ? Math.round(this.nanoseconds / this.requests) : 0,
    };
  }
}
