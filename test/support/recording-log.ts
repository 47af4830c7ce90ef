// A log that a test reads: `level message` each, with the fields that carry words.

import type { Log, LogFields } from '../../src/runtime/log.js';

export class RecordingLog implements Log {
  readonly lines: string[] = [];

  debug(message: string, fields?: LogFields): void {
    this.add('debug', message, fields);
  }
  info(message: string, fields?: LogFields): void {
    this.add('info', message, fields);
  }
  warn(message: string, fields?: LogFields): void {
    this.add('warn', message, fields);
  }
  error(message: string, fields?: LogFields): void {
    this.add('error', message, fields);
  }

  /** Lines since the last call. */
  take(): string[] {
    return this.lines.splice(0);
  }

  private add(level: string, message: string, fields: LogFields = {}): void {
    const rest = Object.entries(fields).map(([name, value]) => ` ${name}=${value}`);
    this.lines.push(`${level} ${message}${rest.join('')}`);
  }
}
