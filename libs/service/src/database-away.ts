import { Catch, Logger, type RpcExceptionFilter } from '@nestjs/common';
import { throwError, type Observable } from 'rxjs';
import { isDatabaseAway } from '#kernel/database-failure.js';
import { messageOf, PermanentError, Unavailable } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';

/**
 * For services with a database, in the place of `KeepErrors`: whoever asks while PostgreSQL is away or
 * busy learns that (220), and may try again; it is no bug, and the log says in a line what was wrong.
 */
@Catch()
export class DatabaseAway implements RpcExceptionFilter<unknown> {
  private readonly logger = new Logger('database');

  catch(error: unknown): Observable<never> {
    return throwError(() => this.asTheCallerMayKnow(error));
  }

  private asTheCallerMayKnow(error: unknown): unknown {
    if (error instanceof PermanentError || error instanceof Unavailable) return error;
    if (!isDatabaseAway(error)) return error;
    this.logger.warn(`a request failed: ${messageOf(error)}`);
    const text = 'The database is away or busy; try again. The log of the service says more.';
    return new Unavailable(text, STATUS.databaseError, { cause: error });
  }
}
