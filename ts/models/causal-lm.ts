/**
 * Losses, perplexity, states and continuations by a causal language model.
 * @module
 */
import { fromCall, TamisError } from '../errors.js'
import { native } from '../native.js'
import type { NativeCausalModel, NativeTokenLists } from '../native-models.js'
import { checkBoolean, checkInteger, checkOptions, show } from '../options.js'
import type { Tensor } from '../tensor.js'
import { packTexts } from '../texts.js'
import { CALL_OPTIONS, callModel, listsOf, type ModelCallOptions } from './calls.js'
import { type ModelSource, resolveModel, SOURCE_OPTIONS } from './hub.js'

/** How texts become tokens. */
export interface EncodeOptions extends ModelCallOptions {
  /** Whether texts begin with the model's token for that. Default: as its tokenizer says. */
  bos?: boolean
}

/** How texts go through the model. */
export interface LossOptions extends EncodeOptions {
  /** The most tokens of a text that go through the model at once. Default: the model's positions. */
  maxTokens?: number
  /**
   * By how many tokens the windows of a longer text are apart, 1 to `maxTokens`; what two have in common is there to be seen by the
   * second. Default `maxTokens`: no overlap, and the first token of each window has no loss.
   */
  stride?: number
}

/** What {@link CausalLM.perplexity} is told. */
export interface PerplexityOptions extends EncodeOptions {
  /** Tokens of a window. Default: the model's positions. */
  length?: number
  /** By how many tokens windows are apart. Default: no overlap, and what is left at the end is dropped. */
  stride?: number
}

/** A turn of a conversation. */
export interface Message {
  role: string
  content: string
}

/** What {@link CausalLM.sequenceLosses} gives. */
export interface SequenceLosses {
  /** Of each text: the mean of its tokens' losses; NaN where there is none. */
  losses: Tensor<'float32'>
  /** Of each text: the tokens with a loss. */
  counts: Uint32Array
}

/** Lists of tokens, or texts to be made such. */
export type TextsOrTokens = readonly string[] | readonly Uint32Array[]

const LOSS_OPTIONS = [...CALL_OPTIONS, 'bos', 'maxTokens', 'stride'] as const

/**
 * A causal language model of Llama's family (`model_type` llama or mistral without a sliding window) from a folder as transformers keeps it, or from
 * a GGUF file, which brings its tokenizer. Weights stay in the type of their file (float32, float16, bfloat16, or GGUF's blocks) and are
 * widened to float32 as they are used; sums are float32, log-softmax float64.
 *
 * Architectures, scalings of rotary positions, biases, tokenizers and types of weights that are not read are refused by name when the
 * model is loaded. Texts go through the model packed in groups of about 512 tokens, without padding, on all threads; the same texts give the
 * same bytes, for any number of threads. Memory: the file's size, and some 20 MB a thread for texts of up to 512 tokens.
 * @example
 * import { models } from 'tamis'
 * const model = await models.CausalLM.load('SmolLM2-135M-Instruct.Q4_1.gguf')
 * const { losses } = await model.sequenceLosses(['The cat sat on the mat.', 'Mat the on sat cat the.'])
 * console.log(losses.data)
 */
export class CausalLM {
  /** The most tokens that the model was made for. */
  readonly positions: number
  /** Tokens there are. */
  readonly vocabulary: number
  /** Numbers of a state. */
  readonly dimensions: number
  readonly layers: number
  readonly #native: NativeCausalModel

  private constructor(model: NativeCausalModel) {
    model.weigh()
    this.#native = model
    this.positions = model.positions()
    this.vocabulary = model.vocabulary()
    this.dimensions = model.width()
    this.layers = model.layers()
  }

  /**
   * Loads a folder (`config.json`, `tokenizer.json`, safetensors, one file or sharded) or a `.gguf` file, or either by its name on the hub (`ORG/NAME`,
   * `ORG/NAME/FILE.gguf`) as {@link fetchModel} fetches it; a path that is there is meant before a name. O(bytes), off the event loop.
   * @throws TamisError `ERR_TAMIS_IO` where a file cannot be read or fetched; `ERR_TAMIS_FORMAT` with the file and the member or tensor that is missing, damaged or not read
   */
  static async load(
    path: string,
    options?: Pick<ModelCallOptions, 'signal'> & ModelSource,
  ): Promise<CausalLM> {
    const o = checkOptions('options', options, ['signal', ...SOURCE_OPTIONS])
    const from = await resolveModel('path', path, o)
    return new CausalLM(await callModel({ signal: o.signal }, 1, (job) => native.openCausalModel(from, job)))
  }

  /**
   * The tokens of texts.
   * @throws TamisError `texts must be an array of strings`; `bos must be false` where the model has no token for it
   */
  async encode(texts: readonly string[], options?: EncodeOptions): Promise<Uint32Array[]> {
    const o = checkOptions('options', options, [...CALL_OPTIONS, 'bos'])
    const { tokens, lengths } = await this.#encode(texts, o)
    return listsOf(tokens, lengths)
  }

  /** The text of tokens, without those that mark something. */
  decode(tokens: Uint32Array): string {
    const list = checkTokens('tokens', tokens)
    return this.#call(() => this.#native.decode(list))
  }

  /**
   * A conversation in the form that the model was trained on, by its chat template; give it to other calls with `bos: false` if it begins
   * with that token itself.
   * @param options - `answer`: whether it ends where the model's turn begins. Default true
   * @throws TamisError `messages must be`; a model without a template; what the template refuses, in its words
   */
  renderChat(messages: readonly Message[], options?: { answer?: boolean }): string {
    const o = checkOptions('options', options, ['answer'])
    if (!Array.isArray(messages) || !messages.every(isMessage)) {
      throw new TamisError(
        'ERR_TAMIS_TYPE',
        `messages must be an array of { role, content }, got ${show(messages)}`,
      )
    }
    const answer = checkBoolean('answer', o.answer, true)
    const turns = messages.map(({ role, content }) => ({ role, content }))
    return this.#call(() => this.#native.render(turns, answer))
  }

  /**
   * The losses of each text's tokens, -ln of what the model gives to each: item i is token i's, NaN where nothing precedes it (the first of
   * each text, and without `stride` of each window of a longer one). O(tokens).
   * @throws TamisError `texts must be`; `maxTokens must be`, `stride must be`; a token that is none of the vocabulary, by its place
   */
  async losses(texts: TextsOrTokens, options?: LossOptions): Promise<Float32Array[]> {
    const o = checkOptions('options', options, LOSS_OPTIONS)
    const { tokens, lengths } = await this.#lists(texts, o)
    const { window, stride } = this.#windows(o)
    const all = await callModel(o, lengths.length, (job) =>
      this.#native.losses(tokens, lengths, window, stride, job),
    )
    return listsOf(all, lengths)
  }

  /**
   * The mean loss of each text: what `corpus.filterByLossReduction` and other recipes that start from losses take.
   * @throws TamisError the errors of {@link CausalLM.losses}
   */
  async sequenceLosses(texts: TextsOrTokens, options?: LossOptions): Promise<SequenceLosses> {
    const o = checkOptions('options', options, LOSS_OPTIONS)
    const { means, counts } = await this.#means(await this.#lists(texts, o), o)
    return { losses: { type: 'float32', dims: [counts.length], data: Float32Array.from(means) }, counts }
  }

  /**
   * e to the mean loss of all texts' tokens, put behind each other. Windows of `length` tokens do not overlap, the tail is dropped, and each window counts the
   * same (llm-kick, step 6); with a `stride` they slide, nothing is dropped, and each token counts the same.
   * @throws TamisError `length must be`, `stride must be`; too few tokens for one window
   */
  async perplexity(
    texts: TextsOrTokens,
    options?: PerplexityOptions,
  ): Promise<{ perplexity: number; logPerplexity: number; windows: number; tokens: number }> {
    const o = checkOptions('options', options, [...CALL_OPTIONS, 'bos', 'length', 'stride'])
    const length = checkInteger('length', o.length ?? this.positions, 2, this.positions)
    const stride = o.stride === undefined ? undefined : checkInteger('stride', o.stride, 1, length)
    const { tokens } = await this.#lists(texts, o)
    const least = stride === undefined ? length : 2
    if (tokens.length < least) {
      throw new TamisError(
        'ERR_TAMIS_RANGE',
        `texts must have at least ${least} tokens (length), got ${tokens.length}`,
      )
    }
    if (stride === undefined) {
      const found = await callModel(o, Math.floor(tokens.length / length), (job) =>
        this.#native.logPerplexity(tokens, length, job),
      )
      const { logPerplexity, windows } = found
      return { perplexity: Math.exp(logPerplexity), logPerplexity, windows, tokens: windows * (length - 1) }
    }
    const lists = { tokens, lengths: Uint32Array.of(tokens.length) }
    const { means, counts } = await this.#means(lists, { ...o, maxTokens: length, stride })
    const [logPerplexity, count] = [means[0] as number, counts[0] as number]
    const windows = 1 + Math.ceil(Math.max(0, tokens.length - length) / stride)
    return { perplexity: Math.exp(logPerplexity), logPerplexity, windows, tokens: count }
  }

  /**
   * The logits behind each token of a text, `[tokens, vocabulary]`: 4 bytes each, 200 KB a token for a vocabulary of 49,152.
   * @throws TamisError `text must be`; more tokens than the model's positions
   */
  async logits(text: string | Uint32Array, options?: EncodeOptions): Promise<Tensor<'float32'>> {
    const o = checkOptions('options', options, [...CALL_OPTIONS, 'bos'])
    const tokens = await this.#one('text', text, o)
    const data = await callModel(o, 1, (job) => this.#native.logits(tokens, job))
    return { type: 'float32', dims: [tokens.length, this.vocabulary], data }
  }

  /**
   * The states of a text's tokens behind some numbers of layers, `[layers, tokens, dimensions]`: 0 is the embedding, the last comes before
   * the model's last norm.
   * @throws TamisError `text must be`; `layers must be`
   */
  async hiddenStates(
    text: string | Uint32Array,
    layers: readonly number[],
    options?: EncodeOptions,
  ): Promise<Tensor<'float32'>> {
    const o = checkOptions('options', options, [...CALL_OPTIONS, 'bos'])
    if (!Array.isArray(layers)) {
      throw new TamisError(
        'ERR_TAMIS_TYPE',
        `layers must be an array of numbers of layers, got ${show(layers)}`,
      )
    }
    const wanted = layers.map((layer, i) => checkInteger(`layers[${i}]`, layer, 0, this.layers))
    const tokens = await this.#one('text', text, o)
    const data = await callModel(o, 1, (job) => this.#native.states(tokens, wanted, job))
    return { type: 'float32', dims: [wanted.length, tokens.length, this.dimensions], data }
  }

  /**
   * Continues a text by the most likely token each time, the first of equals, up to a token that ends texts. O(tokens) passes over the
   * weights, with a cache of keys and values.
   * @param options - `maxTokens`: the most tokens to add. Default 128
   * @throws TamisError `prompt must be`; prompt and `maxTokens` beyond the model's positions
   */
  async generate(
    prompt: string | Uint32Array,
    options?: EncodeOptions & { maxTokens?: number },
  ): Promise<{ text: string; tokens: Uint32Array }> {
    const o = checkOptions('options', options, [...CALL_OPTIONS, 'bos', 'maxTokens'])
    const most = checkInteger('maxTokens', o.maxTokens ?? 128, 1, this.positions)
    const start = await this.#one('prompt', prompt, o)
    const tokens = await callModel(o, most, (job) => this.#native.generate(start, most, job))
    return { text: this.#call(() => this.#native.decode(tokens)), tokens }
  }

  /** Gives the model's memory back, once no call uses it; calls after that are refused. */
  dispose(): void {
    this.#native.dispose()
  }

  /** For `using`. */
  [Symbol.dispose](): void {
    this.dispose()
  }

  #call<T>(call: () => T): T {
    try {
      return call()
    } catch (error) {
      throw fromCall(error)
    }
  }

  async #encode(texts: readonly string[], o: EncodeOptions): Promise<NativeTokenLists> {
    const begin = o.bos === undefined ? undefined : checkBoolean('bos', o.bos, true)
    const packed = packTexts('texts', texts)
    return callModel({ signal: o.signal }, texts.length, (job) => this.#native.encode(packed, begin, job))
  }

  async #lists(texts: TextsOrTokens, o: EncodeOptions): Promise<NativeTokenLists> {
    if (!Array.isArray(texts) || !(texts[0] instanceof Uint32Array)) {
      return this.#encode(texts as readonly string[], o)
    }
    const lists = texts.map((tokens, i) => checkTokens(`texts[${i}]`, tokens))
    const lengths = Uint32Array.from(lists, (tokens) => tokens.length)
    const tokens = new Uint32Array(lengths.reduce((a, b) => a + b, 0))
    let at = 0
    for (const list of lists) {
      tokens.set(list, at)
      at += list.length
    }
    return { tokens, lengths }
  }

  async #one(name: string, text: string | Uint32Array, o: EncodeOptions): Promise<Uint32Array> {
    if (typeof text !== 'string') {
      return this.#fitting(name, checkTokens(name, text))
    }
    return this.#fitting(name, (await this.#encode([text], o)).tokens)
  }

  #fitting(name: string, tokens: Uint32Array): Uint32Array {
    if (tokens.length > 0 && tokens.length <= this.positions) return tokens
    throw new TamisError(
      'ERR_TAMIS_RANGE',
      `${name} must have 1 to ${this.positions} tokens (the model's positions), got ${tokens.length}`,
    )
  }

  /** The mean losses of lists, and of how many tokens each is. */
  #means({ tokens, lengths }: NativeTokenLists, o: LossOptions) {
    const { window, stride } = this.#windows(o)
    return callModel(o, lengths.length, (job) =>
      this.#native.meanLosses(tokens, lengths, window, stride, job),
    )
  }

  #windows(o: LossOptions): { window: number; stride: number } {
    const window = checkInteger('maxTokens', o.maxTokens ?? this.positions, 2, this.positions)
    return { window, stride: checkInteger('stride', o.stride ?? window, 1, window) }
  }
}

function isMessage(message: unknown): message is Message {
  const { role, content } = (message ?? {}) as Partial<Message>
  return typeof role === 'string' && typeof content === 'string'
}

function checkTokens(name: string, tokens: unknown): Uint32Array {
  if (tokens instanceof Uint32Array) return tokens
  throw new TamisError(
    'ERR_TAMIS_TYPE',
    `${name} must be a string or a Uint32Array of tokens, got ${show(tokens)}`,
  )
}
