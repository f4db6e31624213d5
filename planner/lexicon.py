"""The words the planner knows: deliverables, styles, languages and task facts. Data only.

Patterns are matched case-insensitively in English, German, Spanish and French.
"""

from __future__ import annotations

from schemas.brief import Deliverable as D

CONCRETE_PARAMS = {"render_video": ("variant", "duration_seconds", "resolution")}
"""What a plan must always say for these tasks."""
VIDEO_MAKER = "render_video"
SCENES, PORTRAIT = "svd", "sadtalker"
DEFAULT_DURATION_S, DEFAULT_RESOLUTION = 20.0, "720p"
MIN_DURATION_S, MAX_DURATION_S = 1.0, 600.0

MAKERS = {
    D.VIDEO: ("render_video",),
    D.TALKING_VIDEO: ("render_video",),
    D.MATH_ANIMATION: ("render_manim",),
    D.SCENE_ANIMATION: ("render_scene",),
    D.IMAGE: ("text_to_image",),
    D.SVG: ("svg.generateSvg",),
    D.MODEL3D: ("image_to_3d", "svg_to_3d"),
    D.LORA: ("train_lora",),
    D.VOICE: ("train_voice",),
    D.AUDIO: ("synthesize_speech",),
    D.SCRIPT: ("script.generateScript",),
    D.UPSCALED_VIDEO: ("upscale_video",),
    D.LIPSYNCED_VIDEO: ("apply_lipsync",),
    D.MEMORY: ("memory.store",),
    D.PUBLICATION: ("artifacts.publishPublic",),
}
"""Which fixed task yields a deliverable in the end; names what is missing in a refusal."""
MAKERS_FROM = {(D.MODEL3D, "svg"): ("svg_to_3d",), (D.MODEL3D, None): ("image_to_3d",)}
"""Where the way depends on what is to be used: `(deliverable, kind of the material)` -> tasks."""
NAMED_BY_METHOD = frozenset({D.MATH_ANIMATION, D.SCENE_ANIMATION, D.SVG, D.MODEL3D, D.LORA, D.VOICE})
"""What says how it is made is never made by another task."""
FINISHER = "artifacts.registerOutputs"
GATE, APPROVED = "gate.approve", {"script.generateScript": "script"}
UPSCALER = "upscale_video"
LOADED_PROFILE, CREATED_PROFILE = "profiles.loadExisting", "profiles.resolveOrCreate"
PIPELINE_PORT, REFERENCE_PORT, PROFILE_PORT = "pipeline", "reference", "profile"
TIMED = frozenset({"render_video", "script.generateScript"})
SIZED = frozenset({"render_video", "upscale_video"})
"""Tasks whose nodes say a duration or a size even when the goal does not."""
VALUE_PORTS = {
    **dict.fromkeys(("topic", "subject", "theme", "thema", "tema", "sujet"), "topic"),
    **dict.fromkeys(("style", "tone", "look"), "style"),
    **dict.fromkeys(("language", "target_language", "locale", "sprache", "idioma", "langue"), "language"),
    "profile_id": "profile_id",
}
"""What an input of this name is filled with; any other value is filled with the goal itself."""

_VIDEO = r"videos?|v[ií]deos?|vid[ée]os?|clips?|films?|movies?|pel[ií]culas?|reels?|tiktoks?|shorts?|trailers?|teasers?"
_EXPLAINER = r"explainers?|erkl[äa]r(?:video|film)s?|explicativ[oa]s?|explicati(?:f|ve)s?"
# Method words first: what a method names is never replaced by another task.
DELIVERABLES: tuple[tuple[D, str], ...] = (
    (
        D.MATH_ANIMATION,
        (
            r"\bmanim\b|\b(?:math(?:s|ematical|ematics)?|proof|theorem|mathematische?)[\s-]+(?:\w+[\s-]+)?"
            r"(?:animations?|visuali[sz]ations?|animationen)\b|\b(?:animate|"
            r"visuali[sz]e)\b[^.]*\b(?:proof|theorem|equation|"
            r"formula|integral|derivative)\b|\banimations?\b[^.]*\b(?:proof|theorem|equation|formula)\b"
        ),
    ),
    (
        D.SCENE_ANIMATION,
        (
            r"\b3-?d[\s-]+(?:scene[\s-]+)?(?:animations?|animaci[óo]n|videos?|films?|flythrough|walkthrough)"
            r"|\banimated 3-?d\b|\b3-?d[\s-]+animated\b|\banimat\w+ (?:an? |the |this |my )?(?:svg|logo)\b"
        ),
    ),
    (
        D.MODEL3D,
        (
            r"\b3-?d[\s-]+(?:\w+[\s-]+)?(?:models?|objects?|mesh(?:es)?|assets?|modelle?|modelos?|mod[èe]les?|prints?)"
            r"\b|\bmod[èe]les? 3-?d\b|\bmodelos? 3-?d\b|\b(?:glb|gltf|stl)\b(?: file)?|\b3-?d-modelle?\b"
            r"|\b(?:in|into|as|to|en) 3-?d\b"
        ),
    ),
    (
        D.TALKING_VIDEO,
        (
            r"\btalking[\s-]+(?:portraits?|heads?|avatars?|faces?|photos?|pictures?|videos?|person)\b"
            r"|\b(?:portraits?|photos?|pictures?|faces?|avatars?|selfies?|"
            r"images?)\b[^.,]{0,30}\b(?:speaks?|speaking|talks?|"
            r"talking|says?|reads?|tells?|presents?|explains?)\b|\b(?:speaking|"
            r"sprechende[rsn]?)[\s-]+(?:portraits?|avatars?|"
            r"heads?|bild\w*|foto\w*|gesicht\w*)\b|\bavatars?\b|\bsadtalker\b|\blip[\s-]?sync\w*|"
            r"\b(?:retrato|avatar|foto)s? "
            r"(?:que habla|parlante|hablante)\b|\b(?:portrait|avatar|photo)s? (?:qui parle|parlante?)\b"
            r"|\bpresenter (?:video|speaks|talks)\b"
        ),
    ),
    (
        D.SVG,
        (
            r"\bsvgs?\b|\bvector[\s-]+(?:graphics?|drawings?|images?|illustrations?|logos?|icons?)\b|\bvektorgrafik\w*"
            r"|\bgr[áa]fico vectorial\b|\bdessin vectoriel\b"
        ),
    ),
    (D.VIDEO, rf"\b(?:{_VIDEO})\b|\b(?:{_EXPLAINER})\b|\b(?:\w+)?(?:video|film)s?\b|\bslideshows?\b|\bbroadcast\b"),
    (
        D.LORA,
        (
            r"\blora\b|\b(?:train|fine-?tune|trainiere?|entrena|entra[îi]ne)\b[^.]*\b(?:photos?|pictures?|images?|face|"
            r"look|likeness|style|bilder\w*|fotos?|im[áa]genes|cara|visage|selfies?)\b"
        ),
    ),
    (
        D.VOICE,
        (
            r"\b(?:train|clone|fine-?tune|trainiere?|klone?|entrena|clona|entra[îi]ne)\b[^.]*\b(?:voice|"
            r"stimme|voz|voix|"
            r"recordings?)\b|\bvoice[\s-]+(?:clone|cloning|training|model)\b"
        ),
    ),
    (
        D.IMAGE,
        (
            r"\b(?:images?|pictures?|photos?|photographs?|illustrations?|paintings?|posters?|wallpapers?|drawings?|"
            r"sketch(?:es)?|artworks?|logos?|icons?|bild(?:er)?|zeichnung(?:en)?|im[áa]gen(?:es)?|"
            r"dibujos?|dessins?|cartoons?|"
            r"infographics?|thumbnails?|foto)\b"
        ),
    ),
    (
        D.AUDIO,
        (
            r"\b(?:narration|voice-?over|audio(?:book)?|podcasts?|speech|spoken (?:text|version)|"
            r"audiodatei|locuci[óo]n)"
            r"\b(?! lessons)"
        ),
    ),
    (D.SCRIPT, r"\b(?:scripts?|screenplays?|drehbuch|gui[óo]n|sc[ée]nario)\b"),
)

MATERIAL = (
    r"\b(?:from|using|with|of|use|out of|based on|on|aus|mit|von|con|de|avec|"
    r"[àa] partir de)\s+(?:these|this|my|the|our|"
    r"those|meine[nrms]?|diesen?|mis?|mes|mon|ces|estas?|attached|uploaded|"
    r"provided)\s+(?:\w+\s+){0,2}?(?:photos?|pictures?|"
    r"images?|selfies?|recordings?|audio|voice|svg|drawings?|sketch(?:es)?|logo|script|bildern?|"
    r"fotos?|stimme|im[áa]genes|"
    r"voz|voix|portraits?)\b"
)
"""What the user brings along is not what the user wants to have."""

EXCLUDED = (
    r"(?:\b(?:no|without|skip(?: the)?|not an?|never an?|kein(?:e|en)?|ohne|sin|sans|pas de|"
    r"don'?t (?:make|create|render|"
    r"generate|want|need)(?: me)?(?: an?| the| any)?|do not (?:make|create|render|generate)(?: an?| the| any)?)\s+)"
    r"(?:(?:any|an?|the|ein(?:e|en)?|un[ae]?)\s+)?(?P<what>[\w-]+(?:[ -](?:video|model|portrait))?)"
)
ONLY = r"\b(?:only|just|nur|solo|s[óo]lo|seulement|uniquement|nothing but)\b"
TRAIN = r"\b(?:train|training|fine-?tune|trainiere?|trainieren|entrena(?:r)?|entra[îi]ne[rz]?)\b"
TRAIN_IDIOMS = (
    r"\b(?:train (?:station|ride|journey|set|track|travel|drivers?|wrecks?|crash|lines?|"
    r"robbery)|(?:model|steam|express|"
    r"freight|bullet|high-speed|a|the|by|toy|night|old|passenger|trains) trains?)\b|\b(?:strength|weight|dog|marathon|"
    r"interval|sales|safety|compliance|employee|staff|onboarding|potty|sleep|cross|fitness|crate) training\b"
    r"|\btraining (?:video|film|material|course|clip|session)s?\b|\btrain (?:a|your|the|my|for)\s+(?:dog|puppy|cat|"
    r"marathon|horse|parrot|employees?|staff|muscles?|body|brain)\b|\b(?:is|are|gets?) trained\b"
)
APPROVAL = (
    r"\b(?:let me|i want to|i'd like to|i would like to|so i can|"
    r"allow me to)\s+(?:first\s+)?(?:see|review|approve|check|"
    r"edit|read|confirm)\b|\b(?:ask|wait for) (?:me|my (?:ok(?:ay)?|approval|confirmation))\b|\bshow me the script\b"
    r"|\b(?:before (?:you )?render(?:ing)?|after my approval|with my approval)\b"
    r"|\bskript (?:zuerst )?(?:zeigen|freigeben)\b"
)
RECALL = (
    r"\b(?:last time|like (?:the )?(?:last|previous) (?:one|video|time)|(?:the|my|that) (?:previous|earlier|last) \w+|"
    r"(?:the|that) \w+ (?:i|we) (?:made|created|did|generated)|again like|as before|"
    r"wie letztes mal|como la [úu]ltima vez|"
    r"comme la derni[èe]re fois|from (?:yesterday|last week))\b"
)
TOLD = (
    r"\b(?:explain(?:s|ing|ed)?|teach(?:es)?|describe[sd]?|describing|summari[sz]e[sd]?|summary|"
    r"present(?:ation)?|introduc\w+"
    r"|tell(?:s|ing)?|welcome|about|story|stories|news|recap|tutorial|lesson|guide|how\b.*\bworks?|how to|why|what is|"
    r"what are|who was|who is|history|overview|report|greeting|announce\w*|promot\w+|advert\w*|"
    r"commercial|erkl[äa]re?n?|"
    r"[üu]ber|warum|was ist|wie\b.*\bfunktioniert|explica(?:r|me|ci[óo]n)?|sobre|por qu[ée]|qu[ée] es|"
    r"expliquer?|expliquez|explique-moi|pourquoi|qu'est-ce que|comment\b.*\bmarche|"
    r"zusammenfassung|resumen|r[ée]sum[ée])\b"
)
DRAWN = (
    r"^(?:please\s+|can you\s+|could you\s+)?(?:draw|paint|sketch|illustrate|design|depict|"
    r"imagine|render|zeichne|male|dibuja|pinta|dessine|"
    r"peins)\b"
)
MADE = (
    r"^(?:please\s+|can you\s+|could you\s+)?(?:make|create|generate|build|craft|produce|erstelle?|erzeuge|mach|crea|"
    r"genera|haz|cr[ée]e[rz]?|g[ée]n[èe]re[rz]?|fais)\b"
)
THING = r"^(?:an?|some|the|my|ein(?:e|en)?|un[ae]?)\b"

STYLES: dict[str, str] = {
    "humorous": r"humou?rous(?:ly)?|fun|funny|hilarious|witty|comic(?:al)?|lustig\w*|humorvoll\w*|witzig\w*|"
    r"divertid[oa]s?|"
    r"graciosos?|dr[ôo]le|humoristique|amusante?",
    "playful": r"playful|verspielt\w*|jugu[ée]t[óo]n|ludique",
    "serious": r"serious|ernst\w*|seri[oa]s?|s[ée]rieu(?:x|se)",
    "dramatic": r"dramatic|dramatisch\w*|dram[áa]tic[oa]|dramatique",
    "formal": r"formal|business-like|f[öo]rmlich\w*|formell?",
    "casual": r"casual|laid-back|locker\w*|informal|d[ée]contract[ée]e?",
    "cinematic": r"cinematic|filmisch\w*|cinematogr[áa]fic[oa]|cin[ée]matographique",
    "calm": r"calm|relaxing|soothing|ruhig\w*|entspannend\w*|tranquil[oa]|relajante|calme|apaisante?",
    "energetic": r"energetic|upbeat|lively|energisch\w*|mitrei[ßs]+end\w*|en[ée]rgic[oa]|[ée]nergique|"
    r"dynami(?:c|que|sch\w*)",
    "professional": r"professional|corporate|professionell\w*|profesional|professionnel(?:le)?",
    "friendly": r"friendly|warm|freundlich\w*|amigable|amicale?",
    "inspiring": r"inspir(?:ing|ational)|motivational|uplifting|inspirierend\w*|inspirador\w*|inspirante?",
    "educational": r"educational|lehrreich\w*|educativ[oa]|[ée]ducati(?:f|ve)",
    "poetic": r"poetic|lyrical|poetisch\w*|po[ée]tic[oa]|po[ée]tique",
    "scary": r"scary|spooky|creepy|gruselig\w*|terror[íi]fic[oa]|effrayante?",
    "whimsical": r"whimsical|quirky",
    "minimalist": r"minimalist(?:ic)?|minimal",
    "cartoonish": r"cartoonish|cartoon-style|comic-style",
    "retro": r"retro|vintage",
    "simple": r"simple|einfach\w*|sencill[oa]|for (?:kids|children|beginners)|f[üu]r (?:kinder|anf[äa]nger)|"
    r"para (?:ni[ñn]os|principiantes)|pour (?:les )?(?:enfants|d[ée]butants)|like i'?m five|as if i were five",
}

LANGUAGES: dict[str, str] = {
    "en": r"english|englisch|auf englisch|ingl[ée]s|anglais",
    "de": r"german|deutsch(?:e[rsn]?)?|alem[áa]n|allemand",
    "es": r"spanish|spanisch|espa[ñn]ol|castellano|espagnol",
    "fr": r"french|franz[öo]sisch|franc[ée]s|fran[çc]ais",
    "it": r"italian|italienisch|italiano|italien",
    "pt": r"portuguese|portugiesisch|portugu[ée]s|portugais",
}
IN_LANGUAGE = r"\b(?:in|auf|en|into)\s+(?P<name>{names})\b"
FUNCTION_WORDS: dict[str, frozenset[str]] = {
    "en": frozenset(
        [
            "the",
            "a",
            "an",
            "and",
            "of",
            "in",
            "with",
            "about",
            "for",
            "make",
            "create",
            "generate",
            "explain",
            "how",
            "what",
            "is",
            "my",
            "please",
            "to",
            "on",
        ]
    ),
    "de": frozenset(
        [
            "der",
            "die",
            "das",
            "ein",
            "eine",
            "einen",
            "einer",
            "eines",
            "und",
            "über",
            "mit",
            "für",
            "erstelle",
            "erkläre",
            "erklär",
            "mach",
            "bitte",
            "wie",
            "was",
            "ist",
            "warum",
            "mir",
            "von",
            "im",
            "ohne",
            "zeichne",
            "auf",
            "kein",
        ]
    ),
    "es": frozenset(
        [
            "el",
            "la",
            "los",
            "las",
            "un",
            "una",
            "y",
            "de",
            "sobre",
            "con",
            "para",
            "crea",
            "haz",
            "genera",
            "explica",
            "explícame",
            "cómo",
            "qué",
            "es",
            "por",
            "del",
            "sin",
            "dibuja",
            "vídeo",
            "en",
        ]
    ),
    "fr": frozenset(
        [
            "le",
            "la",
            "les",
            "un",
            "une",
            "et",
            "de",
            "sur",
            "avec",
            "pour",
            "crée",
            "créer",
            "fais",
            "génère",
            "explique",
            "expliquez",
            "comment",
            "pourquoi",
            "est",
            "des",
            "du",
            "sans",
            "dessine",
            "vidéo",
            "en",
            "moi",
        ]
    ),
}
