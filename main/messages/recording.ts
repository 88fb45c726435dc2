/** Whether the user is recording a voice message: the other reason, beside a call, to open the microphone. */
export class Recording {
  #on = false;

  get on(): boolean {
    return this.#on;
  }

  set(on: boolean): void {
    this.#on = on;
  }
}
