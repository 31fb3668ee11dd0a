/** Of a load: its transaction's, and the one by which blocks and names go in. */
const CONNECTIONS_EACH = 2;

/**
 * How many of the loads that are wanted may run on so many database connections. One is left for others,
 * and no load ever waits for the second connection of another.
 */
export function loadsAtOnce(wanted: number, connections: number): number {
  return Math.max(1, Math.min(wanted, Math.floor((connections - 1) / CONNECTIONS_EACH)));
}
