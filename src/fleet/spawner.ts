/** How a worker's process is started and ended. */

export interface WorkerProcess {
  /** 0 where it could not be started. */
  readonly pid: number;
  /** SIGABRT: the worker writes the stack of each thread to its stderr and dies. */
  abort(): void;
  /** SIGKILL. */
  kill(): void;
}

export interface Spawner {
  /**
   * Starts one worker that connects to `address` as `identity`.
   * @param exited called once, later, when the process is gone; `reason` says how
   */
  spawn(identity: string, address: string, exited: (reason: string) => void): WorkerProcess;
}
