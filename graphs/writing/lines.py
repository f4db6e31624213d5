"""The lines a script may hold besides its facts: openers, links, remarks, questions and closings for each style.

None states a fact about the topic. `{about}` is the user's phrase (`black holes`, `why cats purr`).
"""

from __future__ import annotations

from graphs.writing.brief import Style

OPENERS: dict[Style, tuple[str, ...]] = {
    Style.FRIENDLY: (
        "Let's talk about {about}.",
        "Today we're looking at {about}.",
        "A quick look at {about}.",
        "A few moments on {about}, starting now.",
        "So, {about}. Where do we begin?",
        "A short tour of {about}.",
    ),
    Style.HUMOROUS: (
        "Buckle up: {about}.",
        "Snacks ready: {about}.",
        "Quick, look clever: {about}.",
        "Nobody asked: {about}.",
        "Stay calm: {about}.",
        "Today, with feeling: {about}.",
    ),
    Style.SERIOUS: (
        "A short report on {about}.",
        "Our subject is {about}.",
        "In brief: {about}.",
        "Let us consider {about}.",
    ),
    Style.DRAMATIC: (
        "Picture the scene. {About}.",
        "Lights down. Eyes open. This is {about}.",
        "One subject. A few moments. {About}.",
        "Hold your breath, and meet {about}.",
        "This is the tale of {about}.",
    ),
    Style.CALM: (
        "Breathe slowly, and think of {about}.",
        "Settle in. Tonight, {about}.",
        "Let's take a quiet moment for {about}.",
        "Gently now, let's turn to {about}.",
        "Let's think quietly about {about}.",
    ),
    Style.KIDS: (
        "Hello, explorers! Meet {about}.",
        "Are you curious? Let's look at {about}!",
        "Hi there! Today we're learning about {about}.",
        "Explorer hats on for {about}!",
    ),
}

LINKS: dict[Style, tuple[str, ...]] = {
    Style.FRIENDLY: (
        "Here's the next part.",
        "And there's more.",
        "Keep going with me.",
        "Let's look a little closer.",
    ),
    Style.HUMOROUS: (
        "Do try this at parties.",
        "Please hold your applause.",
        "I told my cat. The cat left.",
        "My toaster has questions.",
        "No refunds.",
        "My goldfish forgot already.",
        "Feel free to nod.",
        "Yes, this counts as studying.",
        "My houseplant wept.",
        "I practised that line.",
    ),
    Style.SERIOUS: ("There is more to consider.", "A closer look follows.", "Consider the next point."),
    Style.DRAMATIC: ("But wait.", "And then, there is this.", "Listen closely.", "There is more to the story."),
    Style.CALM: (
        "Let that settle for a moment.",
        "Breathe in, and out.",
        "There is no hurry.",
        "Rest with that thought.",
    ),
    Style.KIDS: (
        "Wow, say that again!",
        "Can you picture it?",
        "Cool, right?",
        "Can you say it with me?",
        "Let's keep exploring!",
    ),
}

CLOSINGS: dict[Style, tuple[str, ...]] = {
    Style.FRIENDLY: (
        "And that's a first look at {about}.",
        "Now you know a little more. Thanks for listening.",
        "That's all for now.",
        "What would you like to know next?",
        "Thanks for listening.",
    ),
    Style.HUMOROUS: (
        "Class dismissed, no running.",
        "I'm here all week.",
        "You may feel clever.",
        "The end, until the sequel.",
        "Questions? Ask my lawyer.",
        "That's my cue to leave.",
    ),
    Style.SERIOUS: (
        "That concludes this report.",
        "Those are the essentials.",
        "Thank you for your attention.",
        "That is the short version.",
    ),
    Style.DRAMATIC: (
        "And now, you know.",
        "Remember this moment.",
        "The rest is up to you.",
        "This is only the beginning.",
    ),
    Style.CALM: (
        "And that is enough for now.",
        "Sleep well.",
        "Let the thought drift away.",
        "Stay as long as you like.",
    ),
    Style.KIDS: (
        "Great exploring, everyone!",
        "See you on the next adventure!",
        "Now you can tell your friends!",
        "Bye for now, explorers!",
    ),
}

FILLERS: tuple[str, ...] = (
    "Had you ever given it a second thought?",
    "There is always more to find out.",
    "If you know more, do tell someone today.",
    "Look again, and see what you notice.",
    "Good questions often start just like this.",
    "What else would you like to know about it?",
    "It deserves a moment of attention.",
)
"""For topics with fewer facts than time: they fill, and claim nothing about the topic."""

WITHOUT_FACTS: tuple[str, ...] = (
    "I have no sources on this one, so I won't pretend to know.",
    "You know this subject far better than I do.",
    "So let the pictures do the talking for a moment.",
    "What comes to mind first when you hear those words?",
    "Maybe it's a person, maybe a place, maybe an idea.",
    "Whatever it is, it was worth making a film about.",
    "Every good story starts with a name, and now we have one.",
    "Add a few facts of your own, and I'll gladly tell them.",
    "Until then, let's enjoy the view together.",
    "If you already know it, you're one step ahead of me.",
    "And if you don't, now is a fine time to be curious.",
    "Who would you like to show this to?",
)
"""For topics that no source knows: they say so, and claim nothing."""

GREETING: tuple[str, ...] = (
    "This one is just for you.",
    "Take a moment and enjoy it.",
    "Here's to what comes next.",
    "Let's make it a good one.",
    "Smile, you're the star of this little film.",
    "May it be the first of many good days.",
    "We hope you like the pictures.",
    "Come in, sit down, and feel at home.",
)
"""For a topic that is itself a greeting: wishes only."""

PARTIAL: tuple[str, ...] = (
    "Let's take the words one at a time.",
    "A good way in is through its words.",
)
"""Before facts on the single words of a compound that no source knows."""

STAGES: dict[Style, str] = {
    Style.FRIENDLY: "Bright, clear pictures of {scene}.",
    Style.HUMOROUS: "Colourful, playful pictures of {scene}.",
    Style.SERIOUS: "Clean, sober pictures of {scene}.",
    Style.DRAMATIC: "Dark, cinematic pictures of {scene}.",
    Style.CALM: "Soft, slow pictures of {scene}.",
    Style.KIDS: "Big, cheerful pictures of {scene}.",
}
