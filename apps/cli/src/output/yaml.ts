import { stringify } from 'yaml';

/**
 * A document as YAML. Load this when a command needs it, not the package itself: that is CommonJS, and of an
 * `import()` of one the bundle gives its default alone.
 */
export function toYaml(value: unknown): string {
  return stringify(value);
}
