/**
 * The 102 names of Oxford Flowers-102, label 1 first. The set ships none: they are those of the publisher's category page
 * ("102 Category Flower Dataset", categories), in its labels' order as public loaders have it (TensorFlow Datasets,
 * `oxford_flowers102`), spelt as in the released evaluation rows: 94 of them occur there (as truths or options).
 */
export const FLOWER_NAMES: readonly string[] = [
  "pink primrose", "hard-leaved pocket orchid", "canterbury bells", "sweet pea", "english marigold", "tiger lily",
  "moon orchid", "bird of paradise", "monkshood", "globe thistle", "snapdragon", "colt's foot", "king protea",
  "spear thistle", "yellow iris", "globe flower", "purple coneflower", "peruvian lily", "balloon flower",
  "giant white arum lily", "fire lily", "pincushion flower", "fritillary", "red ginger", "grape hyacinth", "corn poppy",
  "prince of wales feathers", "stemless gentian", "artichoke", "sweet william", "carnation", "garden phlox",
  "love in the mist", "mexican aster", "alpine sea holly", "ruby-lipped cattleya", "cape flower", "great masterwort",
  "siam tulip", "lenten rose", "barbeton daisy", "daffodil", "sword lily", "poinsettia", "bolero deep blue",
  "wallflower", "marigold", "buttercup", "oxeye daisy", "common dandelion", "petunia", "wild pansy", "primula",
  "sunflower", "pelargonium", "bishop of llandaff", "gaura", "geranium", "orange dahlia", "pink and yellow dahlia",
  "cautleya spicata", "japanese anemone", "black-eyed susan", "silverbush", "californian poppy", "osteospermum",
  "spring crocus", "bearded iris", "windflower", "tree poppy", "gazania", "azalea", "water lily", "rose", "thorn apple",
  "morning glory", "passion flower", "lotus", "toad lily", "anthurium", "frangipani", "clematis", "hibiscus",
  "columbine", "desert-rose", "tree mallow", "magnolia", "cyclamen", "watercress", "canna lily", "hippeastrum",
  "bee balm", "air plant", "foxglove", "bougainvillea", "camellia", "mallow", "mexican petunia", "bromelia",
  "blanket flower", "trumpet creeper", "blackberry lily",
];
