"""What the planner knows by name: facts about the fixed tasks, styles, languages. Data only.

Patterns are matched case-insensitively in English, German, Spanish and French; those of wishes are in
`planner/wish_words.py`.
"""

from __future__ import annotations

from schemas.brief import Deliverable as D

CONCRETE_PARAMS = {"render_video": ("variant", "duration_seconds", "resolution")}
"""What a plan must always say for these tasks."""
VIDEO_MAKER = "render_video"
SCENES, PORTRAIT = "svd", "sadtalker"
DEFAULT_DURATION_S, DEFAULT_RESOLUTION = 20.0, "720p"
MIN_DURATION_S, MAX_DURATION_S = 1.0, 600.0

MAKERS: dict[D, tuple[str, ...]] = {
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
MAKERS_FROM: dict[tuple[D, str | None], tuple[str, ...]] = {
    (D.MODEL3D, "svg"): ("svg_to_3d",),
    (D.MODEL3D, None): ("image_to_3d",),
}
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
